// A formula of the model: constants fitted at few points, and what it then says about others. Pure.
import { leastSquares } from './fit.mjs';

/** A prediction further from what was measured than this is marked. */
export const ERROR_MOST = 0.3;

/**
 * @typedef {object} Point
 * @property {string} name of what was measured, once in a formula
 * @property {number} measured
 * @property {boolean} [isFitted] the constants come from it, so that it says nothing about the formula
 *
 * @typedef {object} Formula
 * @property {string} axis
 * @property {string} what is predicted
 * @property {string} unit
 * @property {string} text the formula as people write it
 * @property {Record<string, { unit: string, means: string, times?: (point: any) => number }>} constants in the order of the text; times: what each is multiplied by
 * @property {(point: any, values: Record<string, number>) => number} [predict] where it is not the sum of constants times something, or where what they are
 *   multiplied by is itself predicted
 */

/** The sum of the constants, each times what it is multiplied by at this point. */
const sumOf = (constants, values, point) => Object.keys(constants).reduce((sum, key) => sum + values[key] * constants[key].times(point), 0);

/**
 * Fits the constants at the points that are for it.
 * @param {Formula} formula
 * @param {readonly Point[]} points
 */
export function fitFormula(formula, points) {
  const keys = Object.keys(formula.constants);
  const fitted = points.filter(({ isFitted }) => isFitted);
  let solved;
  try {
    solved = leastSquares(
      fitted.map((point) => keys.map((key) => formula.constants[key].times(point))),
      fitted.map(({ measured }) => measured),
    );
  } catch (error) {
    throw new Error(`${formula.axis}, ${formula.what}: ${error.message}`);
  }
  return compareWith(formula, Object.fromEntries(keys.map((key, k) => [key, solved[k]])), points);
}

/**
 * What the formula says, with constants that are known, beside what was measured.
 * @param {Formula} formula
 * @param {Record<string, number>} values of the constants
 * @param {readonly Point[]} points
 */
export function compareWith(formula, values, points) {
  const { axis, what, unit, text, constants } = formula;
  const twice = points.find(({ name }, n) => points.findIndex((other) => other.name === name) !== n);
  if (twice) throw new Error(`${axis}, ${what}: '${twice.name}' is there twice, and a point is for fitting or for checking`);
  if (!points.some(({ isFitted }) => !isFitted)) throw new Error(`${axis}, ${what}: no point is left to check the formula at`);
  const predict = formula.predict ?? ((point) => sumOf(constants, values, point));
  const rows = points.map((point) => {
    const predicted = predict(point, values);
    return {
      name: point.name,
      isFitted: point.isFitted ?? false,
      predicted,
      measured: point.measured,
      error: predicted / point.measured - 1,
    };
  });
  const described = Object.entries(constants).map(([name, { unit: unitOf, means }]) => ({
    name,
    value: values[name],
    unit: unitOf,
    means,
  }));
  return { axis, what, unit, text, constants: described, rows };
}

/** Whether a prediction is too far off, or could not be made. */
export const isOff = ({ error }) => !(Math.abs(error) <= ERROR_MOST);
