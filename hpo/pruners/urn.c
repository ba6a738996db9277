#include "hpo/pruners/urn.h"

#include <math.h>
#include <stdbool.h>

/* Weights of a distribution on 0, 1, ..., which follow from each other; only their shares count. */
typedef struct shares {
    double weight, sum, below; /* below: of those that were taken before the cut */
} shares;

static void take(shares *s, bool is_below) {
    s->sum += s->weight;
    s->below += is_below ? s->weight : 0;
}

/* Far from the mode weights leave a double's range upwards: what is lost then is less than its last bit. */
static void follow(shares *s, double ratio) {
    s->weight *= ratio;
    if (s->weight > 0x1p500) {
        s->weight *= 0x1p-500;
        s->sum *= 0x1p-500;
        s->below *= 0x1p-500;
    }
}

/* How many of the m that come are before it: beta-binomial; at most `most` may be. */
static double chance_of_some(double n, double ahead, double m, double most) {
    shares s = {.weight = 1};
    for (double j = 0; j <= m; j++) {
        take(&s, j <= most);
        follow(&s, (m - j) / (j + 1) * (ahead + 1 + j) / (n - ahead + m - j - 1));
    }
    return s.below / s.sum;
}

/* Its share of all that comes is Beta(ahead + 1, n - ahead); that it is below 1 / eta is what a binomial
 * of n and 1 / eta is above ahead. */
static double chance_of_many(double n, double ahead, double eta) {
    shares s = {.weight = 1};
    for (double j = 0; j <= n; j++) {
        take(&s, j > ahead);
        follow(&s, (n - j) / (j + 1) / (eta - 1));
    }
    return s.below / s.sum;
}

double ty_urn_chance(size_t n, size_t ahead, double total, int64_t eta) {
    const double many =
        1e5; /* more to come than that: the limit differs by less than they are uncertain */
    const double m = total - (double)n;
    const double most = floor(total / (double)eta) - 1 - (double)ahead;
    if (m > many)
        return chance_of_many((double)n, (double)ahead, (double)eta);
    if (most < 0)
        return 0;
    return most >= m ? 1 : chance_of_some((double)n, (double)ahead, m, most);
}
