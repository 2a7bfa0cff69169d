// Compares what was measured with what is allowed. Pure.

/**
 * Budgets are { row: { main, shards, why } }, bytes. Every row needs one, and every budget a row: an entry for what is no longer measured would look like a promise.
 * @returns one result per row and kind of thread, in the order of the rows
 */
export function judge(rows, budgets) {
  for (const name of Object.keys(budgets))
    if (!rows.some((row) => row.name === name))
      throw new Error(`budget.json: '${name}' is not measured; measured are ${rows.map((row) => row.name).join(', ')}`);
  return rows.flatMap((row) => {
    const budget = budgets[row.name];
    if (!budget) throw new Error(`budget.json: no budget for '${row.name}'`);
    return ['main', 'shards'].map((thread) => {
      const limit = budget[thread];
      if (!(limit >= 0))
        throw new Error(`budget.json: '${row.name}' has ${JSON.stringify(limit)} for ${thread}: bytes, a number that is not negative`);
      return { name: row.name, thread, bytes: row[thread], limit, holds: row[thread] <= limit };
    });
  });
}
