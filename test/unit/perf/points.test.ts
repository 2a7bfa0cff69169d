import { expect, test } from 'vitest';
import { pointsOf } from '../../../perf/lib/points.mjs';

test('all points of a scenario are measured unless some are asked for', () => {
  expect(pointsOf({}, [1, 4, 16])).toEqual([1, 4, 16]);
  expect(pointsOf({ points: [16, 1] }, [1, 4, 16])).toEqual([1, 16]);
});

test('a quick look has the first and the last point, unless some are asked for', () => {
  expect(pointsOf({ quick: true }, [1, 4, 16])).toEqual([1, 16]);
  expect(pointsOf({ quick: true }, [1])).toEqual([1]);
  expect(pointsOf({ quick: true, points: [4] }, [1, 4, 16])).toEqual([4]);
});

test('a point that the scenario does not have is refused with those that it has', () => {
  expect(() => pointsOf({ points: [5] }, [1, 4, 16])).toThrow('--points: 5 is not a point of this scenario: 1, 4, 16');
});
