// Least squares, small enough to be read: a formula has two to four constants and hardly more points. Pure.

/** A pivot below this, of columns whose length is 1, says that one column can be had from the others. */
const PIVOT_MIN = 1e-9;

/**
 * The constants c for which sum(c[k] * row[k]) comes closest to each value, by the sum of squared relative errors: a broker that does little is predicted as
 * carefully as one that does much. As many points as constants are met exactly.
 * @param {readonly (readonly number[])[]} rows one a point: what each constant is multiplied by
 * @param {readonly number[]} values measured, above 0
 * @returns {number[]} the constants
 */
export function leastSquares(rows, values) {
  const count = rows[0]?.length ?? 0;
  if (count === 0) throw new Error('a formula without constants has nothing to be fitted');
  if (rows.length !== values.length) throw new Error(`${rows.length} points have ${values.length} measured values`);
  if (rows.length < count) throw new Error(`${rows.length} points are too few for ${count} constants`);
  const bad = values.find((value) => !(value > 0 && Number.isFinite(value)));
  if (bad !== undefined) throw new Error(`a measured value of ${bad} cannot be fitted: errors are relative, so it has to be above 0`);
  const relative = rows.map((row, point) => row.map((factor) => factor / values[point]));
  // Columns of length 1: requests a second and 1 are far apart in size, and rounding would decide.
  const lengths = rows[0].map((_, k) => Math.hypot(...relative.map((row) => row[k])));
  const unused = lengths.indexOf(0);
  if (unused !== -1) throw new Error(`constant ${unused + 1} is multiplied by 0 at every point`);
  const columns = lengths.map((length, k) => relative.map((row) => row[k] / length));
  const dot = (a, b) => a.reduce((sum, value, n) => sum + value * b[n], 0);
  const ones = values.map(() => 1);
  const solved = solve(
    columns.map((a) => columns.map((b) => dot(a, b))),
    columns.map((a) => dot(a, ones)),
  );
  return solved.map((value, k) => value / lengths[k]);
}

/** Gauss with pivots; changes what it is given. */
function solve(matrix, right) {
  const count = right.length;
  for (let k = 0; k < count; k++) {
    let pivot = k;
    for (let row = k + 1; row < count; row++) if (Math.abs(matrix[row][k]) > Math.abs(matrix[pivot][k])) pivot = row;
    if (Math.abs(matrix[pivot][k]) < PIVOT_MIN)
      throw new Error('the points do not tell the constants apart: they need to differ in more ways');
    [matrix[k], matrix[pivot]] = [matrix[pivot], matrix[k]];
    [right[k], right[pivot]] = [right[pivot], right[k]];
    for (let row = k + 1; row < count; row++) {
      const factor = matrix[row][k] / matrix[k][k];
      for (let column = k; column < count; column++) matrix[row][column] -= factor * matrix[k][column];
      right[row] -= factor * right[k];
    }
  }
  for (let k = count - 1; k >= 0; k--) {
    for (let column = k + 1; column < count; column++) right[k] -= matrix[k][column] * right[column];
    right[k] /= matrix[k][k];
  }
  return right;
}
