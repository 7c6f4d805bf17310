/** The path of a bar for each value; `box` is {left, top, width, height}, `highest` the value at the top. */
export function barsPath(values, highest, box, leastHeight = 0) {
  const slot = box.width / values.length;
  const width = Math.min(slot > 4 ? slot - 1.5 : slot, 28);
  const bottom = box.top + box.height;
  return values
    .map((value, i) => {
      if (!value) return '';
      const height = Math.max((value / highest) * box.height, leastHeight);
      const x = box.left + i * slot + (slot - width) / 2;
      return `M${x.toFixed(1)} ${bottom}v${-height.toFixed(1)}h${width.toFixed(1)}V${bottom}z`;
    })
    .join('');
}
