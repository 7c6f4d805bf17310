// Stacked bars: how high each part is, where the scale ends, and the paths that draw it. No page, no colours.

const LEAST_PX = 3;
const LEAST_SHARE = 1 / 15; // of the whole height, where that is small
const LEAST_PART_PX = 2;
const SPIKE = 3; // times as high as all others
const MOST_SPIKES = 2; // one that stands astride a mark is in two bars
const LEAST_BARS = 6; // below that nobody knows what is usual

/**
 * Heights in pixels of the parts of each bar, in the order of `parts`, where `highest` is `height` high: [part][bar].
 * Whatever is more than nothing is seen: the greatest part gives up what small ones need for that, half of it at most.
 */
export function stackHeights(parts, highest, height) {
  const least = Math.min(LEAST_PX, height * LEAST_SHARE);
  const heights = parts.map((values) => values.map(() => 0));
  const bars = parts[0]?.length ?? 0;
  for (let bar = 0; bar < bars; bar++) {
    const values = parts.map((part) => part[bar]);
    const sum = values.reduce((total, value) => total + value, 0);
    if (!sum) continue;
    const tall = Math.min(Math.max((sum / highest) * height, least), height);
    const seen = Math.min(LEAST_PART_PX, tall / 2 / values.length);
    const greatest = values.indexOf(Math.max(...values));
    let left = tall;
    values.forEach((value, part) => {
      if (part === greatest || !value) return;
      heights[part][bar] = Math.max((value / sum) * tall, seen);
      left -= heights[part][bar];
    });
    heights[greatest][bar] = left;
  }
  return heights;
}

/** Where the scale ends: at the highest of all, but for one spike that would press all others to the ground. */
export function topOf(sums) {
  const falling = sums.filter((sum) => sum > 0).sort((a, b) => b - a);
  if (falling.length < LEAST_BARS) return falling[0] ?? 0;
  for (let spikes = 1; spikes <= MOST_SPIKES; spikes++) {
    if (falling[spikes - 1] >= SPIKE * falling[spikes]) return falling[spikes];
  }
  return falling[0];
}

const barWidth = (slot) => Math.min(slot > 4 ? slot - 1.5 : slot, 28);

/** The path of bars of these heights, each from `grounds` up where such are given; `box` is {left, top, width, height}. */
export function barsPath(heights, box, grounds) {
  const slot = box.width / heights.length;
  const width = barWidth(slot);
  return heights
    .map((height, i) => {
      if (!height) return '';
      const x = box.left + i * slot + (slot - width) / 2;
      const bottom = box.top + box.height - (grounds?.[i] ?? 0);
      return `M${x.toFixed(1)} ${bottom.toFixed(1)}v${-height.toFixed(1)}h${width.toFixed(1)}v${height.toFixed(1)}z`;
    })
    .join('');
}

/** The paths of stacked bars, from the ground up. */
export function stackPaths(heights, box) {
  const grounds = heights[0]?.map(() => 0) ?? [];
  return heights.map((part) => {
    const path = barsPath(part, box, grounds);
    part.forEach((height, i) => { grounds[i] += height; });
    return path;
  });
}

/** A line through the middles of the slots; null is a gap, a value between two gaps a point. */
export function linePath(values, box, highest) {
  const slot = box.width / values.length;
  let path = '';
  values.forEach((value, i) => {
    if (value === null) return;
    const at = `${(box.left + (i + 0.5) * slot).toFixed(1)} ${(box.top + box.height * (1 - Math.min(value / highest, 1))).toFixed(1)}`;
    const goesOn = i > 0 && values[i - 1] !== null;
    path += goesOn ? `L${at}` : `M${at}h0`;
  });
  return path;
}
