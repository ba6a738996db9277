/* YAML that is refused, and what is said of each. The messages are the contract: a change here is a
 * change of what people read. */
#ifndef TY_TESTS_BASE_DOC_YAML_SLIPS_H
#define TY_TESTS_BASE_DOC_YAML_SLIPS_H

#include "doc_fixture.h"

/* clang-format off */
static const bad_text yaml_slips[] = {
    {"",
     "error: c.yaml:1:1: nothing but space; want KEY: VALUE\n"
     "    1 | \n"
     "      | ^"},
    {"# c\n",
     "error: c.yaml:2:1: nothing but space; want KEY: VALUE\n"
     "    2 | \n"
     "      | ^"},
    {"5",
     "error: c.yaml:1:1: want KEY: VALUE, with a space behind the colon\n"
     "    1 | 5\n"
     "      | ^"},
    {"a:1\n",
     "error: c.yaml:1:1: want KEY: VALUE, with a space behind the colon\n"
     "    1 | a:1\n"
     "      | ^~~"},
    {"a: 1\nb:2\n",
     "error: c.yaml:2:1: want \":\" and a space behind this key\n"
     "    2 | b:2\n"
     "      | ^"},
    {"a: 1\nb:2\nc: 3\n",
     "error: c.yaml:2:1: want \":\" and a space behind this key\n"
     "    2 | b:2\n"
     "      | ^"},
    {"a: 1\n b: 2\n",
     "error: c.yaml:2:3: \":\" is not wanted here: keys of one block stand in one "
     "column, and a string with \": \" in it wants quotes\n"
     "    2 |  b: 2\n"
     "      |   ^"},
    {"a:\n  b: 1\n c: 2\n",
     "error: c.yaml:3:2: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    3 |  c: 2\n"
     "      |  ^"},
    {"a:\n\tb: 1\n",
     "error: c.yaml:2:1: a tab; YAML indents with spaces\n"
     "    2 | \tb: 1\n"
     "      | ^"},
    {"a: 1\n\tb: 2\n",
     "error: c.yaml:2:1: a tab; YAML indents with spaces\n"
     "    2 | \tb: 2\n"
     "      | ^"},
    {"\ta: 1\n",
     "error: c.yaml:1:1: a tab; YAML indents with spaces\n"
     "    1 | \ta: 1\n"
     "      | ^"},
    {"a: [1, 2\n",
     "error: c.yaml:1:4: the text ends before this is closed\n"
     "    1 | a: [1, 2\n"
     "      |    ^"},
    {"a: {b: 1\n",
     "error: c.yaml:1:4: the text ends before this is closed\n"
     "    1 | a: {b: 1\n"
     "      |    ^"},
    {"a: [1,,2]",
     "error: c.yaml:1:7: want a value before this\n"
     "    1 | a: [1,,2]\n"
     "      |       ^"},
    {"a: 'x\n",
     "error: c.yaml:1:4: the text ends before this is closed\n"
     "    1 | a: 'x\n"
     "      |    ^"},
    {"a: \"x\n",
     "error: c.yaml:1:4: the text ends before this is closed\n"
     "    1 | a: \"x\n"
     "      |    ^"},
    {"a: \"\\q\"\n",
     "error: c.yaml:1:5: no such escape in double quotes; a backslash itself is \\\\\n"
     "    1 | a: \"\\q\"\n"
     "      |     ^"},
    {"a: \"\\u12g4\"",
     "error: c.yaml:1:7: want hexadecimal digits: \\xHH, \\uHHHH or \\UHHHHHHHH\n"
     "    1 | a: \"\\u12g4\"\n"
     "      |       ^"},
    {"a: \"\\ud800\"",
     "error: c.yaml:1:7: this is no character; beyond U+FFFF write \\UHHHHHHHH or the "
     "character itself\n"
     "    1 | a: \"\\ud800\"\n"
     "      |       ^"},
    {"a: b: c\n",
     "error: c.yaml:1:5: \":\" is not wanted here: keys of one block stand in one "
     "column, and a string with \": \" in it wants quotes\n"
     "    1 | a: b: c\n"
     "      |     ^"},
    {"a: 1\na: 2\n",
     "error: c.yaml:2:1: duplicate key \"a\"\n"
     "    2 | a: 2\n"
     "      | ^ first written at 1:1"},
    {"- a\nb: 1\n",
     "error: c.yaml:2:1: want \"-\" in the column of its list, which begins at 1:1\n"
     "    2 | b: 1\n"
     "      | ^"},
    {"a:\n  - 1\n  2\n",
     "error: c.yaml:3:3: want \":\" and a space behind this key\n"
     "    3 |   2\n"
     "      |   ^"},
    {"a: @x\n",
     "error: c.yaml:1:4: a string that begins with @ wants quotes\n"
     "    1 | a: @x\n"
     "      |    ^"},
    {"a: `x\n",
     "error: c.yaml:1:4: a string that begins with ` wants quotes\n"
     "    1 | a: `x\n"
     "      |    ^"},
    {"a: %x\n",
     "error: c.yaml:1:4: a string that begins with % wants quotes\n"
     "    1 | a: %x\n"
     "      |    ^"},
    {"%x\n",
     "error: c.yaml:1:3: want no directive but %YAML 1.2\n"
     "    1 | %x\n"
     "      |   ^"},
    {"a: *x\n",
     "error: c.yaml:1:4: no &x stands before this\n"
     "    1 | a: *x\n"
     "      |    ^~"},
    {"a: & x\n",
     "error: c.yaml:1:5: want the name of an anchor or alias; a string that begins "
     "with & or * wants quotes\n"
     "    1 | a: & x\n"
     "      |     ^"},
    {"a: *\n",
     "error: c.yaml:1:5: want the name of an anchor or alias; a string that begins "
     "with & or * wants quotes\n"
     "    1 | a: *\n"
     "      |     ^"},
    {"a: !foo 1\n",
     "error: c.yaml:1:4: the tag !foo is none of YAML's core schema\n"
     "    1 | a: !foo 1\n"
     "      |    ^~~~~~ which has !!str, !!int, !!float, !!bool, !!null, !!map and "
     "!!seq"},
    {"a: !!python/object 1\n",
     "error: c.yaml:1:4: the tag !!python/object is none of YAML's core schema\n"
     "    1 | a: !!python/object 1\n"
     "      |    ^~~~~~~~~~~~~~~~~ which has !!str, !!int, !!float, !!bool, !!null, "
     "!!map and !!seq"},
    {"a: !!set {}\n",
     "error: c.yaml:1:4: the tag !!set is none of YAML's core schema\n"
     "    1 | a: !!set {}\n"
     "      |    ^ which has !!str, !!int, !!float, !!bool, !!null, !!map and !!seq"},
    {"a: !e!x 1\n",
     "error: c.yaml:1:4: no such tag; a string that begins with ! wants quotes\n"
     "    1 | a: !e!x 1\n"
     "      |    ^"},
    {"%TAG !e! tag:e,2000:\n---\na: !e!x 1\n",
     "error: c.yaml:3:4: the tag tag:e,2000:x is none of YAML's core schema\n"
     "    3 | a: !e!x 1\n"
     "      |    ^~~~~~ which has !!str, !!int, !!float, !!bool, !!null, !!map and "
     "!!seq"},
    {"%YAML 1.1\n---\na: 1\n",
     "error: c.yaml:1:1: YAML 1.1 reads yes, no and numbers otherwise; want %YAML 1.2\n"
     "    1 | %YAML 1.1\n"
     "      | ^"},
    {"%YAML 1.3\n---\na: 1\n",
     "error: c.yaml:1:1: want %YAML 1.2\n"
     "    1 | %YAML 1.3\n"
     "      | ^"},
    {"%YAML 2.0\n---\na: 1\n",
     "error: c.yaml:1:1: want %YAML 1.2\n"
     "    1 | %YAML 2.0\n"
     "      | ^"},
    {"%FOO\n---\na: 1\n",
     "error: c.yaml:1:5: want no directive but %YAML 1.2\n"
     "    1 | %FOO\n"
     "      |     ^"},
    {"a: 1\n---\nb: 2\n",
     "error: c.yaml:2:1: a second document begins here; want one\n"
     "    2 | ---\n"
     "      | ^"},
    {"a: 1\n...\nb: 2\n",
     "error: c.yaml:3:1: something follows the end of the document\n"
     "    3 | b: 2\n"
     "      | ^"},
    {"a: 1\n... x\n",
     "error: c.yaml:2:5: something follows the end of the document\n"
     "    2 | ... x\n"
     "      |     ^"},
    {"? [1]\n: 2\n",
     "error: c.yaml:1:3: want a string as key\n"
     "    1 | ? [1]\n"
     "      |   ^"},
    {"{a: 1}: 2\n",
     "error: c.yaml:1:1: want a string as key\n"
     "    1 | {a: 1}: 2\n"
     "      | ^"},
    {"1: 2\n",
     "error: c.yaml:1:1: a key is a string: \"1\" in quotes\n"
     "    1 | 1: 2\n"
     "      | ^"},
    {"null: 1\n",
     "error: c.yaml:1:1: a key is a string: \"null\" in quotes\n"
     "    1 | null: 1\n"
     "      | ^~~~"},
    {": 1\n",
     "error: c.yaml:1:1: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    1 | : 1\n"
     "      | ^"},
    {"true: 1\n",
     "error: c.yaml:1:1: a key is a string: \"true\" in quotes\n"
     "    1 | true: 1\n"
     "      | ^~~~"},
    {"a: |x\n  b\n",
     "error: c.yaml:1:5: want the end of the line; the text of | or > begins on the "
     "next\n"
     "    1 | a: |x\n"
     "      |     ^"},
    {"a: |\n  b\n c\n",
     "error: c.yaml:3:2: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    3 |  c\n"
     "      |  ^"},
    {"a: >-5\n b\n",
     "error: c.yaml:2:2: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    2 |  b\n"
     "      |  ^"},
    {"a: \x01\n",
     "error: c.yaml:1:4: YAML has no U+0001 as it is; in double quotes write \\u0001\n"
     "    1 | a: ?\n"
     "      |    ^"},
    {"a: \"\x01\"\n",
     "error: c.yaml:1:5: YAML has no U+0001 as it is; in double quotes write \\u0001\n"
     "    1 | a: \"?\"\n"
     "      |     ^"},
    {"a: x\xe2\x80\xa8y\n",
     "error: c.yaml:1:5: YAML 1.1 ends a line at this character and YAML 1.2 does "
     "not; in double quotes write \\L\n"
     "    1 | a: x\xe2\x80\xa8y\n"
     "      |     ^"},
    {"a: \xef\xbf\xbf\n",
     "error: c.yaml:1:4: YAML has no U+FFFF as it is; in double quotes write \\uffff\n"
     "    1 | a: \xef\xbf\xbf\n"
     "      |    ^"},
    {"a: .inf\n",
     "error: c.yaml:1:4: .inf is no number that a config can hold; in quotes it is a "
     "string\n"
     "    1 | a: .inf\n"
     "      |    ^~~~"},
    {"a: -.INF\n",
     "error: c.yaml:1:4: -.INF is no number that a config can hold; in quotes it is a "
     "string\n"
     "    1 | a: -.INF\n"
     "      |    ^~~~~"},
    {"a: 1e999\n",
     "error: c.yaml:1:4: 1e999 is beyond what a double holds\n"
     "    1 | a: 1e999\n"
     "      |    ^~~~~"},
    {"a: 0xffffffffffffffffff\n",
     "error: c.yaml:1:4: 0xffffffffffffffffff is beyond what a 64-bit integer holds\n"
     "    1 | a: 0xffffffffffffffffff\n"
     "      |    ^~~~~~~~~~~~~~~~~~~~"},
    {"a: -9223372036854775809\n",
     "error: c.yaml:1:4: -9223372036854775809 is beyond what a 64-bit integer holds\n"
     "    1 | a: -9223372036854775809\n"
     "      |    ^~~~~~~~~~~~~~~~~~~~"},
    {"a: 'x'y\n",
     "error: c.yaml:1:7: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    1 | a: 'x'y\n"
     "      |       ^"},
    {"a: [1]]\n",
     "error: c.yaml:1:7: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    1 | a: [1]]\n"
     "      |       ^"},
    {"a: }\n",
     "error: c.yaml:1:4: want a value before this\n"
     "    1 | a: }\n"
     "      |    ^"},
    {"a: 1, b: 2\n",
     "error: c.yaml:1:8: \":\" is not wanted here: keys of one block stand in one "
     "column, and a string with \": \" in it wants quotes\n"
     "    1 | a: 1, b: 2\n"
     "      |        ^"},
    {"&a b: 1\n",
     "error: c.yaml:1:1: a key cannot have an anchor; its value can\n"
     "    1 | &a b: 1\n"
     "      | ^~~~"},
    {"a: &b 1\n*b : 2\n",
     "error: c.yaml:2:1: an alias cannot be a key\n"
     "    2 | *b : 2\n"
     "      | ^~"},
    {"a: &a [*a]\n",
     "error: c.yaml:1:8: *a is inside what it stands for\n"
     "    1 | a: &a [*a]\n"
     "      |        ^~"},
    {"<<: 1\n",
     "error: c.yaml:1:5: \"<<\" wants an alias of an object, or a list of them\n"
     "    1 | <<: 1\n"
     "      |     ^"},
    {"<<: {a: 1}\n<<: {b: 1}\n",
     "error: c.yaml:2:1: duplicate key \"<<\"\n"
     "    2 | <<: {b: 1}\n"
     "      | ^~ first written at 1:1"},
    {"a: \"\\0\"\n",
     "error: c.yaml:1:4: a string must not hold a NUL\n"
     "    1 | a: \"\\0\"\n"
     "      |    ^~~~"},
    {"a: !!int x\n",
     "error: c.yaml:1:4: \"x\" is no !!int\n"
     "    1 | a: !!int x\n"
     "      |    ^~~~~~~"},
    {"a: !!str !!int 1\n",
     "error: c.yaml:1:10: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    1 | a: !!str !!int 1\n"
     "      |          ^"},
    {"--- a: 1\n",
     "error: c.yaml:1:5: want KEY: VALUE, with a space behind the colon\n"
     "    1 | --- a: 1\n"
     "      |     ^"},
    {"a: - 1\n",
     "error: c.yaml:1:4: a list of \"-\" begins on a line of its own\n"
     "    1 | a: - 1\n"
     "      |    ^"},
    {"- - 1\n - 2\n",
     "error: c.yaml:2:2: want \"-\" in the column of its list, which begins at 1:1\n"
     "    2 |  - 2\n"
     "      |  ^"},
    {"a: 'it''s'\nb: \"x\" y\n",
     "error: c.yaml:2:8: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    2 | b: \"x\" y\n"
     "      |        ^"},
    {"key: value: x\n",
     "error: c.yaml:1:11: \":\" is not wanted here: keys of one block stand in one "
     "column, and a string with \": \" in it wants quotes\n"
     "    1 | key: value: x\n"
     "      |           ^"},
    {"a\nb: 1\n",
     "error: c.yaml:1:1: want KEY: VALUE, with a space behind the colon\n"
     "    1 | a\n"
     "      | ^"},
    {"a:\n- b\n-c\n",
     "error: c.yaml:3:1: want \":\" and a space behind this key\n"
     "    3 | -c\n"
     "      | ^"},
    {"// comment\na: 1\n",
     "error: c.yaml:1:1: want KEY: VALUE, with a space behind the colon\n"
     "    1 | // comment\n"
     "      | ^~~~~~~~~~"},
    {"a: \"x\" // c\n",
     "error: c.yaml:1:8: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    1 | a: \"x\" // c\n"
     "      |        ^"},
    {"[a, b]: 1\n",
     "error: c.yaml:1:1: want a string as key\n"
     "    1 | [a, b]: 1\n"
     "      | ^"},
    {"a: ]\n",
     "error: c.yaml:1:4: want a value before this\n"
     "    1 | a: ]\n"
     "      |    ^"},
    {"a: 1\r\nb: @\r\n",
     "error: c.yaml:2:4: a string that begins with @ wants quotes\n"
     "    2 | b: @\n"
     "      |    ^"},
    {"a: 1\rb: @\r",
     "error: c.yaml:1:9: a string that begins with @ wants quotes\n"
     "    1 | a: 1?b: @\n"
     "      |         ^"},
    {"a: \xff\n",
     "error: c.yaml:1:4: the byte 0xff is not UTF-8\n"
     "    1 | a: ?\n"
     "      |    ^"},
    {"a: .NaN\n",
     "error: c.yaml:1:4: .NaN is no number that a config can hold; in quotes it is a "
     "string\n"
     "    1 | a: .NaN\n"
     "      |    ^~~~"},
    {"a: 1\n<<: *x\n",
     "error: c.yaml:2:5: no &x stands before this\n"
     "    2 | <<: *x\n"
     "      |     ^~"},
    {"a: [1, 2\n]]\n",
     "error: c.yaml:2:2: want the next key in the column of its block, which begins "
     "at 1:1; nothing follows a value on its line\n"
     "    2 | ]]\n"
     "      |  ^"},
    {"k: {a: 1, a: 2}\n",
     "error: c.yaml:1:11: duplicate key \"a\"\n"
     "    1 | k: {a: 1, a: 2}\n"
     "      |           ^ first written at 1:5"},
    {"a: ${env:NOPE}\n",
     "error: c.yaml:1:4: the environment variable NOPE is not set\n"
     "    1 | a: ${env:NOPE}\n"
     "      |    ^~~~~~~~~~~ ${env:NOPE:-default} would give it a default"},
    {"a: [x:, y]\n",
     "error: c.yaml:1:6: a string with a \":\" at its end wants quotes\n"
     "    1 | a: [x:, y]\n"
     "      |      ^"},
    {"a: &x {p: $${env:HOME}}\nb:\n  - *y\n",
     "error: c.yaml:1:13: want \",\" or \"}\" before this\n"
     "    1 | a: &x {p: $${env:HOME}}\n"
     "      |             ^"},
    {"extends: 5\n",
     "error: c.yaml:1:10: extends wants a path or a list of paths\n"
     "    1 | extends: 5\n"
     "      |          ^"},
    {"{a: 1]\n",
     "error: c.yaml:1:6: want \",\" or \"}\" before this\n"
     "    1 | {a: 1]\n"
     "      |      ^"},
    {"a: \"x\n---\n",
     "error: c.yaml:1:4: this string is not closed\n"
     "    1 | a: \"x\n"
     "      |    ^"},
    {"a: b\n---\n... x\n",
     "error: c.yaml:2:1: a second document begins here; want one\n"
     "    2 | ---\n"
     "      | ^"},
};
/* clang-format on */

#endif
