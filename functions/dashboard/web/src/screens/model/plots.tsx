/** Small plots of shares between 0 and 1, drawn as SVG. */
import type { ComponentChildren, JSX } from "preact";
import { share } from "../../format";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [300, 240, 40, 36, 8];
const across = (value: number): number => LEFT + value * (WIDTH - LEFT - 8);
const up = (value: number): number => HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - TOP);

export interface Point {
  x: number;
  y: number;
  /** What the point says. */
  text: string;
}

interface FrameProps {
  /** What is shown, in a sentence. */
  says: string;
  x: string;
  y: string;
  children: ComponentChildren;
}

function Frame({ says, x, y, children }: FrameProps): JSX.Element {
  return (
    <figure class="plot">
      <figcaption class="muted small">{y}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={says}>
        {[0, 0.5, 1].map((tick) => (
          <g key={tick}>
            <line class="grid" x1={LEFT} x2={WIDTH - 8} y1={up(tick)} y2={up(tick)} />
            <text x={LEFT - 6} y={up(tick) + 4} text-anchor="end">
              {share(tick)}
            </text>
            <text x={across(tick)} y={HEIGHT - 20} text-anchor={tick === 1 ? "end" : "middle"}>
              {share(tick)}
            </text>
          </g>
        ))}
        {children}
        <text x={across(0.5)} y={HEIGHT - 4} text-anchor="middle">
          {x}
        </text>
      </svg>
    </figure>
  );
}

/** Points with a line through them, beside the diagonal. */
export function Curve({ points, ...frame }: Omit<FrameProps, "children"> & { points: Point[] }): JSX.Element {
  const path = points.map(({ x, y }) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");
  return (
    <Frame {...frame}>
      <line class="diagonal" x1={across(0)} y1={up(0)} x2={across(1)} y2={up(1)} />
      <polyline class="line" points={path} />
      {points.map(({ x, y, text }) => (
        <circle key={x} class="dot" cx={across(x)} cy={up(y)} r="4">
          <title>{text}</title>
        </circle>
      ))}
    </Frame>
  );
}

/** Values with their 95 % intervals, one below the other, on one scale. */
export function Intervals({
  rows,
}: {
  rows: { name: string; value: number; low: number; high: number; isOwn: boolean }[];
}): JSX.Element {
  const least = Math.min(...rows.map((row) => row.low));
  const most = Math.max(...rows.map((row) => row.high));
  const place = (value: number): string => `${((value - least) / (most - least || 1)) * 100}%`;
  return (
    <ul class="intervals">
      {rows.map(({ name, value, low, high, isOwn }) => (
        <li key={name} class={isOwn ? "own" : ""}>
          <span>{name}</span>
          <span class="track" aria-hidden="true">
            <i style={{ left: place(low), width: `calc(${place(high)} - ${place(low)})` }} />
            <b style={{ left: place(value) }} />
          </span>
          <span class="number">
            {value.toFixed(2)}
            <span class="muted small">
              {" "}
              {low.toFixed(2)} to {high.toFixed(2)}
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}

/** The mean effect by level, as bars to both sides of a line. */
export function Levels({ points, says }: { points: number[]; says: string }): JSX.Element {
  const most = Math.max(0.001, ...points.map(Math.abs));
  const width = 96 / Math.max(1, points.length);
  return (
    <svg class="levels" viewBox="0 0 96 28" role="img" aria-label={says}>
      <title>{says}</title>
      {points.map((value, index) => {
        const size = (Math.abs(value) / most) * 13;
        return (
          <rect
            key={index}
            class={value > 0 ? "raises" : "lowers"}
            x={index * width}
            width={Math.max(1, width - 1.5)}
            y={value > 0 ? 14 - size : 14}
            height={Math.max(0.5, size)}
          />
        );
      })}
    </svg>
  );
}
