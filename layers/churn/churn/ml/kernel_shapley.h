/* Shapley values of ROWS rows at once: see `churn.ml.tree_shap` for the game, and for the integral over t.
 *
 * On the way down, `path` is the product over the columns of the path of q = (1 - t) z + t o, at each point t: z is the
 * share of the training samples that take the path's turns at the column, o tells whether the row takes them. On the way
 * up, `sum` is that product times the leaf's value, over the leaves below. An edge changes z and o of its column, so it
 * adds to the column's value what the new (o - z) / q gives more than the old one. */
typedef struct {
    int64_t trees, columns;
    /* Inner nodes, children before their parents: column, and the place up to which a row goes left. */
    const int32_t *column, *place;
    const uint8_t *missing_left;
    /* Leaves below: from `low` to before `high` on the left, to before `end` on the right. */
    const int32_t *low, *high, *end;
    /* Each tree's root, -1 without any, and its number of points. */
    const int32_t *root;
    int32_t *points;
    /* For each column, the place of a missing value. */
    const int32_t *missing;
    const double *leaf_value;
    /* The training samples of all leaves before one. */
    const double *samples;
    /* Nodes from 0 to 1 and weights of the quadrature by n points, at n * MOST_POINTS. */
    const double *node, *weight;
} Forest;

typedef struct {
    const Forest *forest;
    int points;
    const double *node, *weight;
    /* (o - z) / q of a column whose turns are not taken. */
    double unmet[MOST_POINTS];
    int32_t place[MOST_COLUMNS][ROWS];
    double known[MOST_COLUMNS][ROWS];
    double share[MOST_COLUMNS];
    /* 1 / q of a column whose turns are taken so far. */
    double inverse[MOST_COLUMNS][MOST_POINTS];
    double value[MOST_COLUMNS][ROWS];
} Block;

static void visit(Block *block, int32_t split, const double (*path)[ROWS], double (*sum)[ROWS])
{
    const Forest *forest = block->forest;
    const double *node = block->node, *weight = block->weight, *unmet = block->unmet;
    int32_t column = forest->column[split], place = forest->place[split], missing = forest->missing[column];
    int32_t low = forest->low[split], high = forest->high[split], end = forest->end[split];
    double before[ROWS], turn[ROWS], now[ROWS], gained[ROWS], child[MOST_POINTS][ROWS], below[MOST_POINTS][ROWS];
    double lost[MOST_POINTS] = {0}, won[MOST_POINTS] = {0}, less[MOST_POINTS] = {0}, old[MOST_POINTS];
    double new[MOST_POINTS] = {0}, more[MOST_POINTS] = {0};
    double z = block->share[column], samples = forest->samples[end] - forest->samples[low];
    int goes_left = forest->missing_left[split];
    for (int row = 0; row < ROWS; row++) {
        int32_t own = block->place[column][row];
        before[row] = block->known[column][row];
        turn[row] = own == missing ? goes_left : own <= place;
        gained[row] = 0;
    }
    memcpy(old, block->inverse[column], sizeof old);
    for (int side = 0; side < 2; side++) {
        int32_t from = side ? high : low, until = side ? end : high;
        double taken = (forest->samples[until] - forest->samples[from]) / samples, share = z * taken;
        for (int row = 0; row < ROWS; row++) {
            now[row] = before[row] * turn[row];
            turn[row] = 1 - turn[row];
        }
        for (int point = 0; point < MOST_POINTS; point++) {
            double t = node[point];
            lost[point] = (1 - t) * share * old[point] - taken;
            won[point] = t * old[point];
            less[point] = weight[point] * (unmet[point] - (1 - z) * old[point]);
        }
        for (int point = 0; point < MOST_POINTS; point++) {
            double t = node[point];
            new[point] = 1 / ((1 - t) * share + t);
            more[point] = weight[point] * ((1 - share) * new[point] - unmet[point]);
        }
        if (until - from == 1) {
            double value = forest->leaf_value[from];
            for (int point = 0; point < block->points; point++)
                for (int row = 0; row < ROWS; row++)
                    below[point][row] =
                        path[point][row] * value * (taken + before[row] * lost[point] + now[row] * won[point]);
        } else {
            for (int point = 0; point < block->points; point++)
                for (int row = 0; row < ROWS; row++) {
                    child[point][row] = path[point][row] * (taken + before[row] * lost[point] + now[row] * won[point]);
                    below[point][row] = 0;
                }
            memcpy(block->known[column], now, sizeof now);
            memcpy(block->inverse[column], new, sizeof new);
            block->share[column] = share;
            visit(block, side ? split - 1 : split - (end - high), (const double (*)[ROWS])child, below);
            memcpy(block->known[column], before, sizeof before);
            memcpy(block->inverse[column], old, sizeof old);
            block->share[column] = z;
        }
        for (int point = 0; point < block->points; point++)
            for (int row = 0; row < ROWS; row++) {
                gained[row] += below[point][row] * (before[row] * less[point] + now[row] * more[point]);
                sum[point][row] += below[point][row];
            }
    }
    for (int row = 0; row < ROWS; row++)
        block->value[column][row] += gained[row];
}

static void values_of_block(const Forest *forest, const int64_t *places, int64_t rows, int64_t first, int64_t count,
                          double *values)
{
    Block block;
    double path[MOST_POINTS][ROWS], sum[MOST_POINTS][ROWS];
    block.forest = forest;
    for (int64_t column = 0; column < forest->columns; column++) {
        block.share[column] = 1;
        for (int point = 0; point < MOST_POINTS; point++)
            block.inverse[column][point] = 1;
        for (int row = 0; row < ROWS; row++) {
            block.place[column][row] = (int32_t)places[column * rows + first + (row < count ? row : 0)];
            block.known[column][row] = 1;
            block.value[column][row] = 0;
        }
    }
    for (int point = 0; point < MOST_POINTS; point++)
        for (int row = 0; row < ROWS; row++)
            path[point][row] = 1;
    for (int64_t tree = 0; tree < forest->trees; tree++)
        if (forest->root[tree] >= 0) {
            block.points = forest->points[tree];
            block.node = forest->node + block.points * MOST_POINTS;
            block.weight = forest->weight + block.points * MOST_POINTS;
            for (int point = 0; point < MOST_POINTS; point++)
                block.unmet[point] = -1 / (1 - block.node[point]);
            memset(sum, 0, sizeof sum);
            visit(&block, forest->root[tree], (const double (*)[ROWS])path, sum);
        }
    for (int64_t row = 0; row < count; row++)
        for (int64_t column = 0; column < forest->columns; column++)
            values[(first + row) * forest->columns + column] = block.value[column][row];
}
