import uPlot from 'uplot';
import { colour, onScheme, type Colour } from './colours';
import { h, setText } from '../dom';
import {
  axisTime,
  bytes,
  latency,
  memory,
  NOTHING,
  number,
  percent,
  perSecond,
  rate,
  short,
} from '../format';

export type Unit = 'count' | 'rate' | 'bytes' | 'memory' | 'byteRate' | 'seconds' | 'percent';

export interface Line {
  label: string;
  colour: Colour;
  isFilled?: boolean;
}

const FORMATS: Record<Unit, (value: number) => string> = {
  count: (value) => number(Math.round(value * 100) / 100),
  rate,
  bytes,
  memory,
  byteRate: (value) => perSecond(bytes(value)),
  seconds: latency,
  percent,
};

/** An axis is no finer than this, so that one message is no mountain. */
const SMALLEST: Record<Unit, number> = {
  count: 4,
  rate: 4,
  bytes: 1e6,
  memory: 1e6,
  byteRate: 1000,
  seconds: 0.0005,
  percent: 10,
};

/** Of memory, so that its axis has round numbers of megabytes. */
const MEMORY_STEPS = Array.from({ length: 41 }, (_, power) => 2 ** power);

const FINE_SPAN_S = 1200;
/** A chart that has just begun leaves room for what comes, so that its lines do not jump. */
const SHORTEST_SPAN_S = 60;

/** One chart: its name, the value of each line now or under the pointer, and the lines. */
export class Chart {
  readonly element: HTMLElement;
  private readonly values: HTMLElement[];
  private readonly host = h('div', { class: 'plot', role: 'img' });
  private plot: uPlot | undefined;
  private data: uPlot.AlignedData = [[]];
  private readonly observer = new ResizeObserver(() => this.resize());
  private readonly endScheme = onScheme(() => this.rebuild());

  constructor(
    private readonly title: string,
    private readonly unit: Unit,
    private readonly lines: readonly Line[],
    private readonly group = 'charts',
  ) {
    this.values = lines.map(() => h('strong', {}, NOTHING));
    this.element = h(
      'figure',
      { class: 'chart card', 'aria-label': title },
      h(
        'figcaption',
        {},
        h('span', { class: 'card-title' }, title),
        h(
          'span',
          { class: 'legend' },
          ...lines.map((line, at) =>
            h(
              'span',
              { class: 'legend-item' },
              h('i', { class: `swatch ${line.colour}` }),
              h('span', {}, line.label),
              this.values[at],
            ),
          ),
        ),
      ),
      this.host,
    );
    this.observer.observe(this.host);
  }

  /** `times` are Unix milliseconds; a column has a value for each, null where there was none. */
  draw(times: readonly number[], columns: readonly (readonly (number | null)[])[]): void {
    this.data = [times.map((time) => time / 1000), ...columns] as uPlot.AlignedData;
    if (this.plot) this.plot.setData(this.data);
    else this.rebuild();
    this.tell(this.plot?.cursor.idx ?? null);
  }

  close(): void {
    this.observer.disconnect();
    this.endScheme();
    this.plot?.destroy();
    this.plot = undefined;
  }

  /** The values at a sample, or the newest ones. */
  private tell(at: number | null): void {
    const format = FORMATS[this.unit];
    const words = this.lines.map((line, number) => {
      const column = this.data[number + 1] ?? [];
      const value = at === null ? newest(column) : (column[at] ?? null);
      const said = value === null ? NOTHING : format(value);
      const place = this.values[number];
      if (place) setText(place, said);
      return `${line.label} ${said}`;
    });
    this.host.setAttribute('aria-label', `${this.title}: ${words.join(', ')}`);
  }

  private rebuild(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    this.plot?.destroy();
    this.plot = undefined;
    if (width === 0 || height === 0 || this.data[0].length === 0) return;
    this.plot = new uPlot(this.options(width, height), this.data, this.host);
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0) return;
    if (this.plot) this.plot.setSize({ width, height });
    else this.rebuild();
  }

  private options(width: number, height: number): uPlot.Options {
    const font = '11px Inter, system-ui, sans-serif';
    const grid = { stroke: colour('line'), width: 1 };
    const smallest = SMALLEST[this.unit];
    const axis = { stroke: colour('quiet'), font, ticks: { show: false } };
    return {
      width,
      height,
      padding: [8, 28, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        sync: { key: this.group },
        points: { size: 7, width: 2 },
      },
      scales: {
        x: { time: true, range: (_, from, to) => [Math.min(from, to - SHORTEST_SPAN_S), to] },
        y: { range: (_, __, max) => [0, Math.max((max || 0) * 1.12, smallest)] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 24,
          space: 76,
          values: (plot, splits) => {
            const span = (plot.scales['x']?.max ?? 0) - (plot.scales['x']?.min ?? 0);
            return splits.map((at) => axisTime(at * 1000, span < FINE_SPAN_S));
          },
        },
        {
          ...axis,
          grid,
          size: 56,
          space: 34,
          ...(this.unit === 'memory' ? { incrs: MEMORY_STEPS } : {}),
          values: (_, splits) => splits.map((value) => this.axisWord(value)),
        },
      ],
      series: [
        {},
        ...this.lines.map((line) => ({
          label: line.label,
          stroke: colour(line.colour),
          width: 1.5,
          points: { show: false },
          ...(line.isFilled ? { fill: (plot: uPlot) => wash(plot, colour(line.colour)) } : {}),
        })),
      ],
      hooks: { setCursor: [(plot) => this.tell(plot.cursor.idx ?? null)] },
    };
  }

  private axisWord(value: number): string {
    if (value === 0) return '0';
    return this.unit === 'rate' || this.unit === 'count' ? short(value) : FORMATS[this.unit](value);
  }
}

function newest(column: ArrayLike<number | null | undefined>): number | null {
  return column[column.length - 1] ?? null;
}

/** The colour, fading out towards the ground. */
function wash(plot: uPlot, stroke: string): CanvasGradient {
  const { top, height } = plot.bbox;
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `${stroke}3d`);
  gradient.addColorStop(1, `${stroke}05`);
  return gradient;
}
