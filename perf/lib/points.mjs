/**
 * The points of a scenario's axis (rates, consumers, partitions, connections) that were asked for with --points, or all of them; for a quick look the first and the last.
 * @param {{ points?: number[], quick?: boolean }} context
 * @param {number[]} all
 */
export function pointsOf(context, all) {
  if (!context.points) return context.quick ? all.filter((_, n) => n === 0 || n === all.length - 1) : all;
  const unknown = context.points.find((point) => !all.includes(point));
  if (unknown !== undefined) throw new Error(`--points: ${unknown} is not a point of this scenario: ${all.join(', ')}`);
  return all.filter((point) => context.points.includes(point));
}
