from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0002_decisions'),
    ]

    operations = [
        migrations.AddField(
            model_name='seriesminute',
            name='promised',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='seriesminute',
            name='honoured',
            field=models.BigIntegerField(default=0),
        ),
    ]
