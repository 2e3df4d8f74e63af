/* Shapley values of one row, leaf by leaf: LANES leaves side by side, whose paths have as many columns.
 *
 * A leaf adds to each column of its path its value times (o - z), times the integral over t of the product of the other
 * columns' q = (1 - t) z + t o: z is the share of the training samples that take the path's turns at the column, o
 * tells whether the row takes them. See `churn.ml.tree_shap`. */
#define LANES 4
/* Blocks for which the row's places are looked up before they are compared: a vector is read long after it is written. */
#define CHUNK 16
#define MOST_LENGTH (2 * MOST_POINTS)

typedef struct {
    /* How many blocks have paths of a length, and the values of each block's leaves, 0 in a lane without one. */
    const int64_t *blocks;
    double *value;
    /* Of each column of a path, LANES side by side: places from `start` to before `until` take its turns, and a missing
     * value does if `missing`. */
    double *share;
    int32_t *start, *until;
    uint8_t *column, *missing;
} Paths;

typedef struct {
    const Forest *forest;
    /* None: leaves are counted alone. */
    Paths *paths;
    /* By length: the leaves so far, and where the first block and its first columns lie. */
    int64_t *leaves, block[MOST_LENGTH + 1], first[MOST_LENGTH + 1];
    int depth, seen[MOST_COLUMNS];
    int32_t path[MOST_LENGTH], start[MOST_COLUMNS], until[MOST_COLUMNS];
    uint8_t missing[MOST_COLUMNS];
    double share[MOST_COLUMNS];
} Walk;

static void take_leaf(Walk *walk, int32_t leaf)
{
    int length = walk->depth;
    int64_t number = walk->leaves[length]++, lane = number % LANES;
    Paths *paths = walk->paths;
    if (!paths)
        return;
    paths->value[(walk->block[length] + number / LANES) * LANES + lane] = walk->forest->leaf_value[leaf];
    for (int k = 0; k < length; k++) {
        int64_t at = (walk->first[length] + number / LANES * length + k) * LANES + lane;
        int32_t column = walk->path[k];
        paths->column[at] = (uint8_t)column;
        paths->start[at] = walk->start[column];
        paths->until[at] = walk->until[column];
        paths->missing[at] = walk->missing[column];
        paths->share[at] = walk->share[column];
    }
}

static void walk_below(Walk *walk, int32_t split)
{
    const Forest *forest = walk->forest;
    int32_t column = forest->column[split], next = forest->place[split] + 1;
    int32_t low = forest->low[split], high = forest->high[split], end = forest->end[split];
    int32_t start = walk->start[column], until = walk->until[column];
    uint8_t missing = walk->missing[column];
    double share = walk->share[column], samples = forest->samples[end] - forest->samples[low];
    int is_new = walk->seen[column]++ == 0;
    if (is_new)
        walk->path[walk->depth++] = column;
    for (int side = 0; side < 2; side++) {
        int32_t from = side ? high : low, to = side ? end : high;
        if (side && next > start)
            walk->start[column] = next;
        if (!side && next < until)
            walk->until[column] = next;
        walk->missing[column] = missing && forest->missing_left[split] != side;
        walk->share[column] = share * ((forest->samples[to] - forest->samples[from]) / samples);
        if (to - from == 1)
            take_leaf(walk, from);
        else
            walk_below(walk, side ? split - 1 : split - (end - high));
        walk->start[column] = start;
        walk->until[column] = until;
    }
    walk->missing[column] = missing;
    walk->share[column] = share;
    walk->seen[column]--;
    walk->depth -= is_new;
}

/* Count the leaves by the columns of their paths, MOST_LENGTH + 1 numbers that are 0; with `paths`, note them there:
 * blocks of short paths come first. */
void forest_paths(const Forest *forest, int64_t *leaves, Paths *paths)
{
    Walk walk = {.forest = forest, .paths = paths, .leaves = leaves};
    int64_t counted[MOST_LENGTH + 1], blocks = 0, conditions = 0;
    memcpy(counted, leaves, sizeof counted);
    for (int length = 0; length <= MOST_LENGTH; length++) {
        walk.block[length] = blocks;
        walk.first[length] = conditions;
        blocks += (counted[length] + LANES - 1) / LANES;
        conditions += (counted[length] + LANES - 1) / LANES * length;
        leaves[length] = 0;
    }
    for (int64_t column = 0; column < forest->columns; column++) {
        walk.until[column] = forest->missing[column];
        walk.missing[column] = 1;
        walk.share[column] = 1;
    }
    for (int64_t tree = 0; tree < forest->trees; tree++)
        if (forest->root[tree] >= 0)
            walk_below(&walk, forest->root[tree]);
}

/* Add what the blocks of one length give to `sum`. Its loops are compiled for each length. */
static inline __attribute__((always_inline)) void add_paths(const Forest *forest, const Paths *paths, int64_t block,
                                                            int64_t blocks, int64_t at, const int length,
                                                            const int32_t *place, double (*sum)[LANES])
{
    const int points = (length + 1) / 2, columns = length * LANES;
    const double *node = forest->node + points * MOST_POINTS, *weight = forest->weight + points * MOST_POINTS;
    for (int64_t first = 0; first < blocks; first += CHUNK) {
        int64_t count = blocks - first < CHUNK ? blocks - first : CHUNK;
        int32_t own[CHUNK * MOST_LENGTH * LANES];
        for (int64_t k = 0; k < count * columns; k++)
            own[k] = place[paths->column[at + k]];
        for (int64_t of_chunk = 0; of_chunk < count; of_chunk++, at += columns) {
            const double *share = paths->share + at, *value = paths->value + (block + first + of_chunk) * LANES;
            const int32_t *start = paths->start + at, *until = paths->until + at, *mine = own + of_chunk * columns;
            const uint8_t *column = paths->column + at, *missing = paths->missing + at;
            double met[MOST_LENGTH * LANES], q[MOST_LENGTH * LANES];
            double above[MOST_LENGTH * LANES], gained[MOST_LENGTH * LANES];
            for (int k = 0; k < columns; k++) {
                met[k] = ((mine[k] >= start[k]) & (mine[k] < until[k])) | ((mine[k] < 0) & missing[k]);
                gained[k] = 0;
            }
            for (int point = 0; point < points; point++) {
                double t = node[point], product[LANES], below[LANES];
                for (int lane = 0; lane < LANES; lane++) {
                    product[lane] = weight[point] * value[lane];
                    below[lane] = 1;
                }
                for (int k = 0; k < length; k++)
                    for (int lane = 0; lane < LANES; lane++) {
                        int here = k * LANES + lane;
                        q[here] = (1 - t) * share[here] + t * met[here];
                        above[here] = product[lane];
                        product[lane] *= q[here];
                    }
                for (int k = length - 1; k >= 0; k--)
                    for (int lane = 0; lane < LANES; lane++) {
                        int here = k * LANES + lane;
                        gained[here] += above[here] * below[lane];
                        below[lane] *= q[here];
                    }
            }
            for (int k = 0; k < length; k++)
                for (int lane = 0; lane < LANES; lane++) {
                    int here = k * LANES + lane;
                    sum[column[here]][lane] += (met[here] - share[here]) * gained[here];
                }
        }
    }
}

static void values_of_one(const Forest *forest, const Paths *paths, const int64_t *places, int64_t rows, int64_t row,
                          double *values)
{
    int32_t place[MOST_COLUMNS];
    double sum[MOST_COLUMNS][LANES] = {{0}};
    for (int64_t column = 0; column < forest->columns; column++) {
        int32_t own = (int32_t)places[column * rows + row];
        place[column] = own == forest->missing[column] ? -1 : own;
    }
    int64_t at = 0, block = 0;
#define OF_LENGTH(length)                                                                \
    add_paths(forest, paths, block, paths->blocks[length], at, length, place, sum);      \
    block += paths->blocks[length];                                                      \
    at += paths->blocks[length] * length * LANES;
    OF_LENGTH(1) OF_LENGTH(2) OF_LENGTH(3) OF_LENGTH(4) OF_LENGTH(5) OF_LENGTH(6) OF_LENGTH(7) OF_LENGTH(8)
    OF_LENGTH(9) OF_LENGTH(10) OF_LENGTH(11) OF_LENGTH(12) OF_LENGTH(13) OF_LENGTH(14) OF_LENGTH(15) OF_LENGTH(16)
    for (int64_t column = 0; column < forest->columns; column++) {
        double total = 0;
        for (int lane = 0; lane < LANES; lane++)
            total += sum[column][lane];
        values[row * forest->columns + column] = total;
    }
}
