/* Shapley values of blocks of ROWS rows: see `churn.ml.tree_shap` for the game, and for the integral over t.
 *
 * On the way down, `path` is the product over the columns of the path of q = (1 - t) z + t o, at each point t: z is the
 * share of the training samples that take the path's turns at the column, o tells whether the row takes them. On the way
 * up, `sum` is that product times the leaf's value, over the leaves below. An edge changes z and o of its column, so it
 * adds to the column's value what the new (o - z) / q gives more than the old one. What of this is no row's own is
 * worked out once for SPAN blocks. */
typedef double Rows __attribute__((vector_size(ROWS * sizeof(double))));
typedef int32_t Places __attribute__((vector_size(ROWS * sizeof(int32_t))));

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

/* What an edge does at each point, where o of its column was 1 before it and is 1 after it: by how much the path's
 * factor differs from `taken`, and what of the sum below adds to the column's value. A leaf's value is in the factor. */
typedef struct {
    double taken, lost[MOST_POINTS], won[MOST_POINTS], less[MOST_POINTS], more[MOST_POINTS];
} Edge;

typedef struct {
    const Forest *forest;
    int32_t root, points;
    const double *node, *weight;
    /* (o - z) / q of a column whose turns are not taken. */
    double unmet[MOST_POINTS];
    double share[MOST_COLUMNS];
    /* 1 / q of a column whose turns are taken so far. */
    double inverse[MOST_COLUMNS][MOST_POINTS];
    Edge edges[MOST_LEAVES][2];
} Tree;

typedef struct {
    Places place[MOST_COLUMNS];
    Rows value[MOST_COLUMNS];
} Block;

static void note_edges(Tree *tree, int32_t split)
{
    const Forest *forest = tree->forest;
    int32_t column = forest->column[split];
    int32_t low = forest->low[split], high = forest->high[split], end = forest->end[split];
    double z = tree->share[column], samples = forest->samples[end] - forest->samples[low], old[MOST_POINTS];
    memcpy(old, tree->inverse[column], sizeof old);
    for (int side = 0; side < 2; side++) {
        Edge *edge = &tree->edges[tree->root - split][side];
        int32_t from = side ? high : low, until = side ? end : high;
        int is_leaf = until - from == 1;
        double taken = (forest->samples[until] - forest->samples[from]) / samples, share = z * taken;
        double factor = is_leaf ? forest->leaf_value[from] : 1;
        edge->taken = factor * taken;
        for (int point = 0; point < MOST_POINTS; point++) {
            double t = tree->node[point], weight = tree->weight[point], unmet = tree->unmet[point];
            double new = 1 / ((1 - t) * share + t);
            edge->lost[point] = factor * ((1 - t) * share * old[point] - taken);
            edge->won[point] = factor * (t * old[point]);
            edge->less[point] = weight * (unmet - (1 - z) * old[point]);
            edge->more[point] = weight * ((1 - share) * new - unmet);
            tree->inverse[column][point] = new;
        }
        if (!is_leaf) {
            tree->share[column] = share;
            note_edges(tree, side ? split - 1 : split - (end - high));
        }
    }
    tree->share[column] = z;
    memcpy(tree->inverse[column], old, sizeof old);
}

/* `known`: whether the turns of each column are taken so far. Sets `sum`. */
static void visit(const Tree *tree, Block *block, int32_t split, Rows *known, const Rows *path, Rows *sum)
{
    const Forest *forest = tree->forest;
    int32_t column = forest->column[split];
    int32_t low = forest->low[split], high = forest->high[split], end = forest->end[split];
    Places own = block->place[column];
    /* The place of a missing value is behind all others. */
    Places is_left = own <= forest->place[split];
    if (forest->missing_left[split])
        is_left |= own == forest->missing[column];
    Rows before = known[column], gained = {0}, now = before * __builtin_convertvector(-is_left, Rows);
    for (int side = 0; side < 2; side++) {
        const Edge *edge = &tree->edges[tree->root - split][side];
        double taken = edge->taken;
        Rows less = {0}, more = {0};
        if ((side ? end - high : high - low) == 1) {
            for (int point = 0; point < tree->points; point++) {
                Rows below = path[point] * (taken + before * edge->lost[point] + now * edge->won[point]);
                less += below * edge->less[point];
                more += below * edge->more[point];
                sum[point] = side ? sum[point] + below : below;
            }
        } else {
            Rows child[MOST_POINTS], of_child[MOST_POINTS];
            for (int point = 0; point < tree->points; point++)
                child[point] = path[point] * (taken + before * edge->lost[point] + now * edge->won[point]);
            known[column] = now;
            visit(tree, block, side ? split - 1 : split - (end - high), known, child, of_child);
            for (int point = 0; point < tree->points; point++) {
                Rows below = of_child[point];
                less += below * edge->less[point];
                more += below * edge->more[point];
                sum[point] = side ? sum[point] + below : below;
            }
        }
        gained += before * less + now * more;
        now = before - now;
    }
    known[column] = before;
    block->value[column] += gained;
}

/* The values of `count` rows, of which the last block may have fewer than ROWS. */
static void values_of_blocks(const Forest *forest, const int64_t *places, int64_t rows, int64_t first, int64_t count,
                             double *values)
{
    Tree tree = {.forest = forest};
    Block block[SPAN];
    Rows known[MOST_COLUMNS], path[MOST_POINTS], sum[MOST_POINTS], none = {0};
    int64_t columns = forest->columns;
    for (int64_t column = 0; column < columns; column++) {
        tree.share[column] = 1;
        known[column] = none + 1;
        for (int point = 0; point < MOST_POINTS; point++)
            tree.inverse[column][point] = 1;
        for (int64_t row = 0; row < (count + ROWS - 1) / ROWS * ROWS; row++) {
            int64_t own = first + (row < count ? row : 0);
            block[row / ROWS].place[column][row % ROWS] = (int32_t)places[column * rows + own];
        }
        for (int64_t row = 0; row < count; row += ROWS)
            block[row / ROWS].value[column] = none;
    }
    for (int point = 0; point < MOST_POINTS; point++)
        path[point] = none + 1;
    for (int64_t number = 0; number < forest->trees; number++) {
        tree.root = forest->root[number];
        if (tree.root < 0)
            continue;
        tree.points = forest->points[number];
        tree.node = forest->node + tree.points * MOST_POINTS;
        tree.weight = forest->weight + tree.points * MOST_POINTS;
        for (int point = 0; point < MOST_POINTS; point++)
            tree.unmet[point] = -1 / (1 - tree.node[point]);
        note_edges(&tree, tree.root);
        for (int64_t row = 0; row < count; row += ROWS)
            visit(&tree, &block[row / ROWS], tree.root, known, path, sum);
    }
    for (int64_t row = 0; row < count; row++)
        for (int64_t column = 0; column < columns; column++)
            values[(first + row) * columns + column] = block[row / ROWS].value[column][row % ROWS];
}
