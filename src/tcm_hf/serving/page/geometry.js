// Where a word lies: its polygon runs along the tops of the letters, then back along their feet, with equally
// many points. Pixels of the upright photo, x right, y down.

/**
 * The strip that a word fills.
 * @param {{polygon: number[][], box: {xmin: number, ymin: number, xmax: number, ymax: number}}} word
 * @returns {{tops: number[][], feet: number[][], length: number, height: number, centre: number[], angle: number}}
 *   `tops` and `feet` in the direction of reading, `angle` of that direction in radians.
 */
export function stripOf(word) {
  const { polygon } = word.polygon.length % 2 ? { polygon: corners(word.box) } : word;
  const half = polygon.length / 2;
  const tops = polygon.slice(0, half);
  const feet = polygon.slice(half).reverse();
  const middle = between(tops, feet, 0.5);
  const [first, last] = [middle[0], middle[half - 1]];
  const heights = tops.map((top, place) => distance(top, feet[place]));
  return {
    tops,
    feet,
    length: middle.slice(1).reduce((sum, point, place) => sum + distance(middle[place], point), 0),
    height: heights.reduce((sum, height) => sum + height, 0) / half,
    centre: [mean(middle, 0), mean(middle, 1)],
    angle: Math.atan2(last[1] - first[1], last[0] - first[0]),
  };
}

/** The line a `share` of the way from the tops of a strip down to its feet. */
export function between(tops, feet, share) {
  return tops.map(([x, y], place) => [x + share * (feet[place][0] - x), y + share * (feet[place][1] - y)]);
}

function corners({ xmin, ymin, xmax, ymax }) {
  return [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]];
}

function distance([x, y], [toX, toY]) {
  return Math.hypot(toX - x, toY - y);
}

function mean(points, axis) {
  return points.reduce((sum, point) => sum + point[axis], 0) / points.length;
}
