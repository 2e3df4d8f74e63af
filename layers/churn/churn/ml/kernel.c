/* The two loops of a forest that take the time, for arrays that `churn.ml.random_forest` holds.
 *
 * `churn.ml.tree_shap` and `churn.ml.random_forest` do the same with numpy alone; the tests hold both equal. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Trees evaluated together: their words of all places stay in a core's second-level cache. */
#define TREES 32
#define MOST_POINTS 8
/* A model has at most 25 columns. */
#define MOST_COLUMNS 64
#define MOST_LEAVES 64
/* Rows whose reasons are worked out side by side, from how many on that is quicker than one by one, and how many such
 * blocks go through a tree one after the other. */
#define ROWS 8
#define FEW_ROWS 4
#define SPAN 32

#include "kernel_shapley.h"
#include "kernel_paths.h"

/* Mean and variance of the trees' probabilities of each row.
 *
 * `table`: for each place, the leaves of each tree that are left, as words. `places`: the table's rows that each row
 * of inputs selects, shape (columns, rows). `sums` has room for as many numbers as there are rows. */
void forest_votes(const uint64_t *table, int64_t trees, const int64_t *first_leaf, const double *leaf_value,
                  const int64_t *places, int64_t columns, int64_t rows, double *mean, double *variance)
{
    memset(mean, 0, (size_t)rows * sizeof *mean);
    memset(variance, 0, (size_t)rows * sizeof *variance);
    for (int64_t first = 0; first < trees; first += TREES) {
        int64_t count = trees - first < TREES ? trees - first : TREES;
        for (int64_t row = 0; row < rows; row++) {
            uint64_t words[TREES];
            memset(words, 0xff, sizeof words);
            for (int64_t column = 0; column < columns; column++) {
                const uint64_t *left = table + places[column * rows + row] * trees + first;
                if (count == TREES)
                    for (int tree = 0; tree < TREES; tree++)
                        words[tree] &= left[tree];
                else
                    for (int64_t tree = 0; tree < count; tree++)
                        words[tree] &= left[tree];
            }
            double sum = 0, squares = 0;
            for (int64_t tree = 0; tree < count; tree++) {
                double value = leaf_value[first_leaf[first + tree] + __builtin_ctzll(words[tree])];
                sum += value;
                squares += value * value;
            }
            mean[row] += sum;
            variance[row] += squares;
        }
    }
    for (int64_t row = 0; row < rows; row++) {
        mean[row] /= (double)trees;
        double spread = variance[row] / (double)trees - mean[row] * mean[row];
        variance[row] = spread > 0 ? spread : 0;
    }
}

static int depth_below(const Forest *forest, int32_t split, int *seen)
{
    int32_t column = forest->column[split], low = forest->low[split], high = forest->high[split], end = forest->end[split];
    int left = 0, right = 0;
    int first = seen[column]++ == 0;
    if (high - low > 1)
        left = depth_below(forest, split - (end - high), seen);
    if (end - high > 1)
        right = depth_below(forest, split - 1, seen);
    seen[column]--;
    return first + (left > right ? left : right);
}

/* Set each tree's number of points: a path of n columns needs a quadrature that is exact below the degree n. */
void forest_points(Forest *forest)
{
    int seen[MOST_COLUMNS] = {0};
    for (int64_t tree = 0; tree < forest->trees; tree++)
        if (forest->root[tree] >= 0)
            forest->points[tree] = (depth_below(forest, forest->root[tree], seen) + 1) / 2;
}

/* The Shapley values, shape (rows, columns), of places of shape (columns, rows). */
void forest_shapley(const Forest *forest, const Paths *paths, const int64_t *places, int64_t rows, double *values)
{
    int64_t last = rows % ROWS, together = last < FEW_ROWS ? rows - last : rows;
    for (int64_t first = 0, count; first < together; first += count) {
        count = together - first < SPAN * ROWS ? together - first : SPAN * ROWS;
        values_of_blocks(forest, places, rows, first, count, values);
    }
    for (int64_t row = together; row < rows; row++)
        values_of_one(forest, paths, places, rows, row, values);
}
