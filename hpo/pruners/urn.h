/* The chance of a rank that is known in part: what a thing's place among those seen says of its place
 * among all, where they come in a random order. Those that come are drawn as from Polya's urn: with n seen
 * and `ahead` of them before this one, the next is before it with probability (ahead + 1) / (n + 1)
 * (Johnson & Kotz, Urn Models and Their Application, 1977, 4.2). */
#ifndef TY_HPO_PRUNERS_URN_H
#define TY_HPO_PRUNERS_URN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The chance that a thing is among the first floor(total / eta) of `total`, when n of them have been
 * seen, itself among them, and `ahead` of these are before it (ahead < n <= total, eta >= 2).
 * total INFINITY: among the first one in eta of what never ends. Only +, -, * and /: the same bits on
 * every machine. */
double ty_urn_chance(size_t n, size_t ahead, double total, int64_t eta);

#ifdef __cplusplus
}
#endif
#endif
