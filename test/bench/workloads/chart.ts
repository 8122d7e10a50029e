// A comparison as a chart: a bar for each program as long as its median speed, a line from its lowest to its highest
// round. Drawn as SVG that reads on light and dark pages. Pure.
import type { Comparison, Row } from "./compare.ts";
import type { Summary } from "./figures.ts";

const LABEL_WIDTH = 330;
const BAR_WIDTH = 420;
const WIDTH = LABEL_WIDTH + BAR_WIDTH + 130;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 14;
const TITLE_HEIGHT = 40;
const COLORS = { ours: "#1f7a8c", peer: "#9aa5b1", floor: "#d9b26f" } as const;

/** All comparisons, one below the other. */
export function chart(comparisons: readonly Comparison[]): string {
  let top = 0;
  const parts = comparisons.map((comparison) => {
    const part = group(comparison, top);
    top += heightOf(comparison);
    return part;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" \
font-family="system-ui, sans-serif" font-size="12" fill="#7b8794">
<title>Records a second, median and range</title>
${parts.join("\n")}
</svg>
`;
}

function heightOf({ rows }: Comparison): number {
  return TITLE_HEIGHT + rows.length * ROW_HEIGHT + 8;
}

function group({ workload, title, rows }: Comparison, top: number): string {
  const fastest = Math.max(1, ...rows.map(({ summary }) => summary?.work.max ?? 0));
  const heading = `${workload.toUpperCase()}: ${title} (k records/s)`;
  return [
    `<text x="8" y="${top + 26}" font-size="14" font-weight="600">${escaped(heading)}</text>`,
    ...rows.map((row, index) => bar(row, top + TITLE_HEIGHT + index * ROW_HEIGHT, fastest)),
  ].join("\n");
}

function bar({ label, side, atLeastOnce, summary }: Row, top: number, fastest: number): string {
  const name = escaped(atLeastOnce ? `${label} (at least once)` : label);
  const text = `<text x="${LABEL_WIDTH - 10}" y="${top + 12}" text-anchor="end">${name}</text>`;
  return summary === undefined ? text : `${text}${lengths(summary, COLORS[side], top, fastest)}`;
}

function lengths({ work }: Summary, color: string, top: number, fastest: number): string {
  const x = (speed: number) => LABEL_WIDTH + (speed / fastest) * BAR_WIDTH;
  const middle = top + BAR_HEIGHT / 2;
  const [from, to, end] = [x(work.min), x(work.max), x(work.median)].map((place) => place.toFixed(1));
  const width = (x(work.median) - LABEL_WIDTH).toFixed(1);
  const speed = Math.round(work.median / 1000).toLocaleString("en");
  return [
    `<rect x="${LABEL_WIDTH}" y="${top}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${color}"/>`,
    `<path d="M${from} ${middle}H${to}" stroke="#52606d" stroke-width="2"/>`,
    `<text x="${(Math.max(Number(to), Number(end)) + 6).toFixed(1)}" y="${top + 12}">${speed}</text>`,
  ].join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
