"""What can be wrong with a document on its own. One rule a module; each says what it found."""

from coordination.spec.rules import (
    SPEC001_syntax,
    SPEC002_refused_feature,
    SPEC003_too_much,
    SPEC004_duplicate_key,
    SPEC005_unknown_field,
    SPEC006_wrong_type,
    SPEC007_unit,
    SPEC008_out_of_range,
    SPEC009_bad_name,
    SPEC010_duplicate_object,
    SPEC011_api_version,
    SPEC012_kind,
    SPEC013_missing_field,
    SPEC014_unknown_choice,
    SPEC015_hidden_direction,
    SPEC016_contradiction,
)

MODULES = (
    SPEC001_syntax,
    SPEC002_refused_feature,
    SPEC003_too_much,
    SPEC004_duplicate_key,
    SPEC005_unknown_field,
    SPEC006_wrong_type,
    SPEC007_unit,
    SPEC008_out_of_range,
    SPEC009_bad_name,
    SPEC010_duplicate_object,
    SPEC011_api_version,
    SPEC012_kind,
    SPEC013_missing_field,
    SPEC014_unknown_choice,
    SPEC015_hidden_direction,
    SPEC016_contradiction,
)
