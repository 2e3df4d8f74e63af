/** Lines over time, drawn by uPlot, which is fetched with the first chart. Gaps stay gaps; a table is there to be read out. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { day, exactly, timeOfDay } from "../format";
import { useStore } from "../store";
import { theme } from "../theme";

export interface Line {
  name: string;
  values: (number | null)[];
  /** A colour of the stylesheet: `--accent`. */
  color: string;
  isPale?: boolean;
  /** The value holds until the next one. */
  isStepped?: boolean;
}
export interface Mark {
  /** Seconds since 1970. */
  at: number;
  text: string;
  color: string;
}
interface Props {
  /** Seconds since 1970, rising. */
  times: number[];
  lines: Line[];
  marks?: Mark[];
  height: number;
  /** What the chart shows, in words. */
  caption: string;
  show: (value: number) => string;
  /** The top of the scale; it begins at 0. */
  top?: number;
}

const DARK = window.matchMedia("(prefers-color-scheme: dark)");
const READ_OUT_AT_MOST = 40;

export function LineChart(props: Props): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const [tip, setTip] = useState<{ left: number; text: string } | null>(null);
  const chosen = useStore(theme);
  const isDark = useDark();
  const data = JSON.stringify([props.times, props.lines.map((line) => line.values), props.marks]);
  useEffect(() => {
    let plot: uPlot | undefined;
    let isGone = false;
    const element = host.current;
    if (!element) return;
    const fit = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: props.height }));
    void import("uplot").then((module) => {
      if (isGone) return;
      plot = new module.default(options(props, element, setTip), aligned(props), element);
      fit.observe(element);
    });
    return () => {
      isGone = true;
      fit.disconnect();
      plot?.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `data` is all that is drawn
  }, [data, chosen, isDark, props.height]);
  return (
    <figure class="chart">
      <div ref={host} style={{ height: `${props.height}px` }} aria-hidden="true" />
      {tip ? (
        <div
          class="tip"
          style={tip.left > 200 ? { right: `calc(100% - ${tip.left}px)` } : { left: `${tip.left}px` }}
        >
          {tip.text}
        </div>
      ) : null}
      <ReadOut {...props} />
    </figure>
  );
}

function useDark(): boolean {
  const [isDark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const changed = (): void => setDark(DARK.matches);
    DARK.addEventListener("change", changed);
    return () => DARK.removeEventListener("change", changed);
  }, []);
  return isDark;
}

function ReadOut({ times, lines, caption, show }: Props): JSX.Element {
  const step = Math.ceil(times.length / READ_OUT_AT_MOST);
  const rows = times.map((time, index) => ({ time, index })).filter(({ index }) => index % step === 0);
  return (
    <div class="hidden">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map((line) => (
              <th scope="col" key={line.name}>
                {line.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ time, index }) => (
            <tr key={time}>
              <td>{exactly(time * 1000)}</td>
              {lines.map((line) => (
                <td key={line.name}>{shown(line.values[index], show)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(value: number | null | undefined, show: (value: number) => string): string {
  return value === null || value === undefined ? "not known" : show(value);
}

function aligned({ times, lines }: Props): uPlot.AlignedData {
  return [times, ...lines.map((line) => line.values)];
}

/** Returns a colour of the stylesheet as a canvas takes it. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

type Tip = { left: number; text: string } | null;

function options(props: Props, element: HTMLElement, onTip: (tip: Tip) => void): uPlot.Options {
  const [muted, line] = [resolved(element, "--muted"), resolved(element, "--line")];
  const axis = {
    stroke: muted,
    font: "12px system-ui",
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: props.height,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, props.top ?? niceTop(most)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 72,
        incrs: steps(props.times),
        gap: 10,
        size: 34,
        values: (_, splits) =>
          splits.map((at) => (spansDays(props.times) ? day(at * 1000) : timeOfDay(at * 1000))),
      },
      {
        ...axis,
        size: 52,
        space: 32,
        values: (_, splits) => evenly(splits.map((value) => props.show(value))),
      },
    ],
    series: [{}, ...props.lines.map((one) => series(one, resolved(element, one.color)))],
    hooks: {
      draw: [(plot) => drawMarks(plot, props.marks ?? [], element)],
      setCursor: [(plot) => onTip(tipOf(plot, props))],
    },
  };
}

/** `2.0%` and `4.0%` are `2%` and `4%`, unless a tick between them needs the digit. */
function evenly(ticks: string[]): string[] {
  return ticks.every((tick) => tick.endsWith(".0%")) ? ticks.map((tick) => tick.replace(".0%", "%")) : ticks;
}

function spansDays(times: number[]): boolean {
  return (times.at(-1) ?? 0) - (times[0] ?? 0) > 2 * DAY;
}

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

/** Returns the seconds that may lie between two ticks: two with the same label would say nothing. */
function steps(times: number[]): number[] {
  const days = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30, 60, 90, 120, 180, 365].map((number) => number * DAY);
  const parts = [1, 5, 10, 15, 30, 60, 120, 180, 240, 360, 480, 720].map((number) => number * MINUTE);
  return spansDays(times) ? days : [...parts, ...days];
}

// Below it the ticks of numbers that are counted would be parts of one.
const LOWEST_TOP = 4;

function niceTop(most: number | null): number {
  return Math.max(LOWEST_TOP, (most ?? 0) * 1.15);
}

function series(line: Line, color: string): uPlot.Series {
  const path: uPlot.Series.PathBuilder = (plot, index, first, last) => stepped(plot, index, first, last);
  return {
    stroke: color,
    width: line.isPale ? 1.5 : 2,
    ...(line.isPale ? { dash: [4, 4] } : {}),
    ...(line.isStepped ? { paths: path } : {}),
    points: { show: line.isStepped === true, size: 6, fill: color },
    spanGaps: false,
  };
}

/** Draws each value on to the next one. */
function stepped(plot: uPlot, index: number, first: number, last: number): uPlot.Series.Paths {
  const stroke = new Path2D();
  const values = plot.data[index] ?? [];
  let y: number | null = null;
  for (let place = first; place <= last; place++) {
    const value = values[place];
    const x = plot.valToPos(plot.data[0][place] ?? 0, "x", true);
    if (value === null || value === undefined) {
      y = null;
      continue;
    }
    const next = plot.valToPos(value, "y", true);
    if (y === null) stroke.moveTo(x, next);
    else {
      stroke.lineTo(x, y);
      stroke.lineTo(x, next);
    }
    y = next;
  }
  return { stroke, flags: 1 };
}

function drawMarks(plot: uPlot, marks: Mark[], element: HTMLElement): void {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  for (const mark of marks) {
    const x = plot.valToPos(mark.at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const y = bbox.top + bbox.height;
    ctx.fillStyle = resolved(element, mark.color);
    ctx.beginPath();
    ctx.moveTo(x, y - 2.4 * size);
    ctx.lineTo(x + size, y - size * 0.6);
    ctx.lineTo(x - size, y - size * 0.6);
    ctx.fill();
  }
}

function tipOf(plot: uPlot, { times, lines, marks = [], show }: Props): Tip {
  const { idx, left } = plot.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return null;
  const time = times[idx] ?? 0;
  const values = lines.map(
    (line) => `${lines.length > 1 ? `${line.name} ` : ""}${shown(line.values[idx], show)}`,
  );
  const near = marks.find((mark) => Math.abs(plot.valToPos(mark.at, "x") - left) < 6);
  const text = near ? `${day(near.at * 1000)} · ${near.text}` : [day(time * 1000), ...values].join(" · ");
  return { left: left + 52, text };
}
