#include "tracking/tags.h"

#include <string.h>

const char *ty_track_artifact_name(const char *artifact) {
    static const char folder[] = "artifacts/";
    const size_t length = sizeof folder - 1;
    return strncmp(artifact, folder, length) == 0 ? artifact + length : artifact;
}

bool ty_track_tag_of(ty_arena *arena, const ty_track_record *r, const char **key,
                     const char **value) {
    if (r->type == TY_TRACK_TAG) {
        *key = r->text.key;
        *value = r->text.value;
    } else if (r->type == TY_TRACK_MODEL) {
        *key = ty_arena_printf(arena, "model.%s", r->file.name);
        *value = ty_arena_printf(arena, "%s at step %lld", ty_track_artifact_name(r->file.artifact),
                                 (long long)r->step);
    } else if (r->type == TY_TRACK_STATE && r->state.reason && r->state.reason[0] != '\0') {
        *key = "exit.reason";
        *value = r->state.reason;
    } else if (r->type == TY_TRACK_START && r->start.is_resumed != 0) {
        *key = "resumed.from_step";
        *value = ty_arena_printf(arena, "%lld", (long long)r->start.from_step);
    } else {
        *key = *value = NULL;
        return true;
    }
    return *key && *value;
}

void ty_track_own_tags(const ty_track_record *run, const char *out[TY_TRACK_OWN_TAGS][2]) {
    const char *const tags[TY_TRACK_OWN_TAGS][2] = {{"mlflow.runName", run->run.name},
                                                    {"mlflow.user", run->run.user},
                                                    {"mlflow.source.name", run->run.source},
                                                    {"mlflow.source.type", "LOCAL"}};
    memcpy(out, tags, sizeof tags);
}

void ty_track_experiment_tags(const ty_track_record *run,
                              const char *out[TY_TRACK_EXPERIMENT_TAGS][2]) {
    const char *goal = run->run.primary_goal;
    const char *is_greater = !goal ? NULL : strcmp(goal, "max") == 0 ? "True" : "False";
    const char *const tags[TY_TRACK_EXPERIMENT_TAGS][2] = {
        {"mlflow.experimentKind", "custom_model_development"},
        {"mlflow.note.content", run->run.experiment_note},
        {"mlflow.experiment.primaryMetric.name", run->run.primary_metric},
        {"mlflow.experiment.primaryMetric.greaterIsBetter", is_greater}};
    memcpy(out, tags, sizeof tags);
}
