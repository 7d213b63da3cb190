from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0003_promised_and_honoured'),
    ]

    operations = [
        migrations.AddField(
            model_name='seriesminute',
            name='objectives',
            field=models.JSONField(default=dict, help_text='By objective: how often kept, of how often given.'),
        ),
    ]
