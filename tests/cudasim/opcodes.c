/* Finds the row of the opcode table that spells an instruction, and reads its modifiers. */
#include "tests/cudasim/opcodes.h"

#include <string.h>

#define OPCODE(pattern, operands, function, flow, flags)                                           \
    {pattern, operands, function, CS_FLOW_##flow, flags},
static const cs_opcode opcodes[] = {
#include "tests/cudasim/opcode_rows.h"
};
#undef OPCODE

const cs_opcode *cs_opcodes(size_t *n) {
    *n = sizeof opcodes / sizeof *opcodes;
    return opcodes;
}

/* --- what a modifier says ------------------------------------------------------------------------- */

static bool note_rounding(cs_text word, cs_instr *instr) {
    static const char *const names[] = {
        [CS_RN] = "rn",   [CS_RZ] = "rz",   [CS_RM] = "rm",   [CS_RP] = "rp",  [CS_RNI] = "rni",
        [CS_RZI] = "rzi", [CS_RMI] = "rmi", [CS_RPI] = "rpi", [CS_RNA] = "rna"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (cs_text_is(word, names[i])) {
            instr->rounding = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool note_type(cs_text word, cs_instr *instr) {
    const cs_type type = cs_type_named(word);
    if (type == CS_NO_TYPE)
        return false;
    if (instr->type == CS_NO_TYPE)
        instr->type = (uint8_t)type;
    else
        instr->type2 = (uint8_t)type;
    return true;
}

static bool note_memory(cs_text word, cs_instr *instr) {
    static const struct {
        const char *word;
        cs_space space;
    } spaces[] = {{"global", CS_GLOBAL}, {"shared", CS_SHARED}, {"shared::cta", CS_SHARED},
                  {"local", CS_LOCAL},   {"param", CS_PARAM},   {"const", CS_CONST}};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        if (cs_text_is(word, spaces[i].word)) {
            instr->space = (uint8_t)spaces[i].space;
            return true;
        }
    }
    if (cs_text_is(word, "v2") || cs_text_is(word, "v4")) {
        instr->elements = (uint8_t)(word.at[1] - '0');
        return true;
    }
    return false;
}

/* Meanings of the memory model: .volatile is taken as an ordinary access, which is stricter. */
static bool note_order(cs_text word, cs_instr *instr) {
    if (cs_text_is(word, "acquire") || cs_text_is(word, "release") || cs_text_is(word, "acq_rel"))
        instr->is_ordering = instr->is_strong = true;
    else if (cs_text_is(word, "relaxed"))
        instr->is_strong = true;
    else if (cs_text_is(word, "cta"))
        instr->is_block_scope = true;
    else if (cs_text_is(word, "nc"))
        instr->is_read_only = true;
    else
        return cs_text_is(word, "weak") || cs_text_is(word, "volatile") ||
               cs_text_is(word, "cluster") || cs_text_is(word, "gpu") || cs_text_is(word, "sys");
    return true;
}

static bool note_flag(cs_text word, cs_instr *instr) {
    if (cs_text_is(word, "ftz"))
        instr->is_ftz = true;
    else if (cs_text_is(word, "sat"))
        instr->is_saturated = true;
    else
        return false;
    return true;
}

/* Words with one meaning everywhere are noted; of other groups the number of the alternative is kept. */
static void note(cs_text word, cs_instr *instr, bool is_group, uint8_t alternative,
                 int *n_choices) {
    const bool is_known = note_rounding(word, instr) || note_type(word, instr) ||
                          note_memory(word, instr) || note_order(word, instr) ||
                          note_flag(word, instr);
    if (!is_known && is_group && *n_choices < CS_CHOICES)
        instr->choice[*n_choices] = alternative;
}

/* --- matching ------------------------------------------------------------------------------------ */

static cs_text next_word(const char **at, const char *end) {
    const char *begin = *at;
    while (*at < end && **at != '.')
        (*at)++;
    const cs_text word = {begin, (size_t)(*at - begin)};
    *at += *at < end;
    return word;
}

/* Groups of types, roundings and such take no place in choice[]; the first alternative tells. */
static bool takes_choice(const char *group, const char *end) {
    cs_instr scratch = {0};
    const char *bar = memchr(group, '|', (size_t)(end - group));
    const cs_text first = {group, (size_t)((bar ? bar : end) - group)};
    return !note_rounding(first, &scratch) && !note_type(first, &scratch) &&
           !note_memory(first, &scratch) && !note_order(first, &scratch) &&
           !note_flag(first, &scratch);
}

/* The number of the alternative that is `word`, from 1; 0: none. */
static uint8_t find_alternative(const char *group, const char *end, cs_text word) {
    for (uint8_t n = 1; group < end; n++) {
        const char *bar = memchr(group, '|', (size_t)(end - group));
        const cs_text alternative = {group, (size_t)((bar ? bar : end) - group)};
        if (cs_text_same(alternative, word))
            return n;
        group = bar ? bar + 1 : end;
    }
    return 0;
}

bool cs_opcode_match(const cs_opcode *opcode, cs_text spelling, cs_instr *instr) {
    const char *p = opcode->pattern, *at = spelling.at, *end = spelling.at + spelling.n;
    cs_instr found = *instr;
    int n_choices = 0;
    found.type = found.type2 = CS_NO_TYPE;
    found.elements = 1;
    while (*p) {
        if (*p == '.') {
            p++;
            continue;
        }
        const char *before = at;
        const cs_text word = next_word(&at, end);
        if (*p == '(' || *p == '{') {
            const char *close = strchr(p, *p == '(' ? ')' : '}');
            const uint8_t alternative = find_alternative(p + 1, close, word);
            const bool is_choice = takes_choice(p + 1, close);
            if (alternative)
                note(word, &found, true, alternative, &n_choices);
            else if (*p == '(')
                return false;
            else
                at = before;
            n_choices += is_choice;
            p = close + 1;
            continue;
        }
        const size_t n = strcspn(p, ".({");
        if (word.n != n || memcmp(word.at, p, n) != 0)
            return false;
        note(word, &found, false, 0, &n_choices);
        p += n;
    }
    if (at < end || (spelling.n && end[-1] == '.'))
        return false;
    *instr = found;
    return true;
}
