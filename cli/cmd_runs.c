/* runs: what is in this folder. One verb a row. */
#include "cli/runs.h"
#include "cli/verbs.h"

static void add_amount(ty_text *out, int64_t n, const char *what, const char *end) {
    char number[32];
    ty_text_addf(out, "%s %s%s%s", console_count(n, number), what, console_plural(n), end);
}

static ty_status rebuild(cli *app, ty_arena *arena) {
    ty_rebuild_report report = {0};
    ty_text out = {0};
    (void)arena;
    TY_TRY(ty_runs_rebuild(&app->ctx, app->folder, &report));
    add_amount(&out, report.runs, "run", " read; added ");
    add_amount(&out, report.runs_added, "run", ", ");
    add_amount(&out, report.points_added, "point", " and ");
    add_amount(&out, report.values_added, "other value", "");
    console_say(&app->console, "%s", ty_text_string(&out));
    ty_text_clear(&out);
    if (report.runs_damaged == 0)
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_INTEGRITY,
                   "%lld journal%s damaged and left out; all others are in mlflow.db",
                   (long long)report.runs_damaged, report.runs_damaged == 1 ? " is" : "s are");
}

static const struct {
    verb of;
    ty_status (*run)(cli *app, ty_arena *arena);
} verbs[] = {
    {{"ls", "runs ls [FILTER]", 0, 1, " order columns limit experiment deleted "}, runs_list},
    {{"show", "runs show RUN", 1, 1, ""}, runs_show},
    {{"diff", "runs diff RUN RUN", 2, 2, " all "}, runs_diff},
    {{"plot", "runs plot RUN... [--metric KEY]... [--output FILE.svg]", 1, ARGS_MAX_OPERANDS - 1,
      " metric output "},
     runs_plot},
    {{"export", "runs export RUN... [--output FILE.csv|FILE.jsonl|FOLDER]", 1,
      ARGS_MAX_OPERANDS - 1, " output "},
     runs_export},
    {{"rm", "runs rm RUN... [--dry-run] [--yes]", 1, ARGS_MAX_OPERANDS - 1, " dry-run yes server "},
     runs_remove},
    {{"gc", "runs gc [--dry-run] [--keep-best N] [--older-than 30d]", 0, 0,
      " dry-run keep-best older-than "},
     runs_clean},
    {{"rebuild", "runs rebuild", 0, 0, ""}, rebuild},
};

static const option_row options[] = {
    {"order", 0, "FIELD", "ls: \"metrics.val/loss ASC\"; again for ties (default: newest first)"},
    {"columns", 0, "LIST", "ls: fields, and state,step,started,took,id,experiment,folder"},
    {"limit", 0, "N", "ls: at most N runs"},
    {"experiment", 0, "NAME", "ls: only this experiment's runs"},
    {"deleted", 0, NULL, "ls: the runs that are deleted in MLflow"},
    {"all", 0, NULL, "diff: also what is the same, and the machine's load"},
    {"metric", 0, "KEY", "plot: this one, again for more (default: val/loss)"},
    {"output", 'o', "FILE", "plot: FILE.svg; export: FILE.csv, FILE.jsonl or a folder"},
    {"dry-run", 0, NULL, "rm, gc: only show what would go"},
    {"yes", 'y', NULL, "rm: do not ask"},
    {"server", 0, "URI", "rm: also on this MLflow server, http://HOST..."},
    {"keep-best", 0, "N", "gc: only an experiment's N best runs keep their checkpoints"},
    {"older-than", 0, "AGE", "gc: only runs that ended 30d, 12h, 90m or 2w ago"},
    {0}};

static ty_status runs(cli *app) {
    int at;
    TY_TRY(verbs_find(app, &cmd_runs, verbs, sizeof verbs / sizeof verbs[0], sizeof verbs[0], &at));
    ty_arena arena = {0};
    const ty_status st = verbs[at].run(app, &arena);
    ty_arena_clear(&arena);
    return st;
}

const command cmd_runs = {
    .name = "runs",
    .operands = "VERB ...",
    .summary = "list, compare, draw, export and tidy up runs",
    .about =
        "  ls [FILTER]                 the runs that fit, newest first\n"
        "  show RUN                    one run, all of it\n"
        "  diff RUN RUN                params, tags, data and metrics of two, where they differ\n"
        "  plot RUN...                 curves, in the terminal or as a picture\n"
        "  export RUN...               params, tags and metrics as CSV or JSON lines\n"
        "  rm RUN...                   delete runs as MLflow does: its UI can restore them\n"
        "  gc                          take off the disk: folders of deleted runs, checkpoints\n"
        "                              neither best nor last, leftovers of broken writes\n"
        "  rebuild                     add to mlflow.db what is only in the journals\n"
        "\n"
        "RUN is a run's folder, its name, or its MLflow run id (six digits of it will do).\n"
        "FILTER is MLflow's search grammar:\n"
        "  \"metrics.val/loss < 0.3 AND params.optimizer.type = 'adamw' AND status = 'FINISHED'\"\n"
        "  metrics.K  = != < <= > >= NUMBER      params.K, tags.K  = != LIKE ILIKE 'TEXT',\n"
        "  IS [NOT] NULL      attributes.run_name, .status, .user_id, .start_time (ms), ...\n"
        "  dataset.name, .digest, .context      run_id and dataset.* also [NOT] IN ('A', 'B')\n"
        "Clauses are joined by AND alone. % in a LIKE is any text, _ one character; ILIKE takes\n"
        "a for A. Names, tags and deletions made in MLflow count.\n"
        "gc leaves alone what is registered, runs at work, and checkpoints of exported models.\n"
        "rebuild only adds: notes, tags and deletions made in MLflow's UI stay.\n",
    .options = options,
    .min_operands = 1,
    .max_operands = ARGS_MAX_OPERANDS,
    .run = runs};
