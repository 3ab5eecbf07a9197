import type {
  BusyTopic,
  ComponentHealth,
  ControlOverview,
  Need,
  SamplesResult,
  Talker,
} from '../../generated/protocol';
import { Chart, type Unit } from '../charts/chart';
import { colourOf, type Colour } from '../charts/colours';
import { fill, h, keyed, placed, setAttribute, setText } from '../dom';
import { latency, memory, NOTHING, rate, short } from '../format';
import { icon } from '../icons';
import { said } from '../phrases';
import type { Context, Page } from './page';
import { Poll } from '../backend/poll';
import { SteadyOrder } from '../charts/steady-order';
import { Sparkline } from '../charts/sparkline';
import { text, textOr } from '../../renderer/language';

type Series = SamplesResult['series'];
type SeriesName = keyof Series;

const LOOK_MS = 1000;
const SPARK_POINTS = 90;
const SPANS: readonly [string, number][] = [
  ['page.control.span.5m', 300_000],
  ['page.control.span.10m', 600_000],
  ['page.control.span.2h', 7_200_000],
  ['page.control.span.24h', 86_400_000],
];
/** Samples of longer spans change no faster. */
const SLOW_SPAN_MS = 600_000;
const SLOW_LOOKS = 10;

interface Tile {
  title: string;
  series: SeriesName;
  colour: Colour;
  say(value: number): string;
}

const TILES: readonly Tile[] = [
  { title: 'page.control.tile.received', series: 'received', colour: 'c1', say: rate },
  { title: 'page.control.tile.latency', series: 'latencyP99', colour: 'c3', say: latency },
  { title: 'page.control.tile.clients', series: 'clients', colour: 'c2', say: short },
  { title: 'page.control.tile.errors', series: 'errors', colour: 'c5', say: rate },
  { title: 'page.control.tile.memory', series: 'memory', colour: 'c4', say: memory },
];

/** How all of it is, and what needs a person. */
export class Overview implements Page {
  readonly element: HTMLElement;
  private readonly headline = h('h2', { class: 'headline' }, ' ');
  private readonly subline = h('p', { class: 'subline' }, ' ');
  private readonly sign = h('span', { class: 'sign' });
  private readonly needs = h('ul', { class: 'needs' });
  private readonly calm = h(
    'p',
    { class: 'calm' },
    icon('good'),
    h('span', {}, text('page.control.needs.none')),
  );
  private readonly needCount = h('span', { class: 'count' });
  private readonly talkers = h('ol', { class: 'bars' });
  private readonly topics = h('ol', { class: 'bars' });
  private readonly talkerOrder = new SteadyOrder<Talker>(
    ({ app, client }) => `${app} ${client}`,
    (talker) => talker.rate,
  );
  private readonly topicOrder = new SteadyOrder<BusyTopic>(
    ({ topic }) => topic,
    (topic) => topic.rate,
  );
  private readonly components = h('ul', { class: 'components' });
  private readonly tiles = new Map<
    SeriesName,
    { value: HTMLElement; spark: Sparkline; tile: Tile }
  >();
  private readonly charts: { chart: Chart; series: SeriesName[] }[];
  private readonly poll = new Poll(LOOK_MS, () => this.look());
  private span = 600_000;
  private looks = 0;

  constructor(private readonly context: Context) {
    this.charts = [
      this.chartOf('page.control.chart.throughput', 'rate', [
        ['received', 'page.control.line.received', 'c1', true],
        ['delivered', 'page.control.line.delivered', 'c2', false],
      ]),
      this.chartOf('page.control.chart.latency', 'seconds', [
        ['latencyP50', 'page.control.line.p50', 'c2', false],
        ['latencyP95', 'page.control.line.p95', 'c4', false],
        ['latencyP99', 'page.control.line.p99', 'c3', false],
      ]),
      this.chartOf('page.control.chart.errors', 'rate', [
        ['errors', 'page.control.line.errors', 'c5', true],
        ['refused', 'page.control.line.refused', 'c4', false],
      ]),
      this.chartOf('page.control.chart.clients', 'count', [
        ['clients', 'page.control.line.clients', 'c2', true],
        ['queued', 'page.control.line.queued', 'c6', false],
      ]),
      this.chartOf('page.control.chart.memory', 'memory', [
        ['memory', 'page.control.line.memory', 'c4', true],
      ]),
      this.chartOf('page.control.chart.lag', 'seconds', [
        ['loopLag', 'page.control.line.lag', 'c7', true],
      ]),
    ];
    this.element = h(
      'div',
      { class: 'overview' },
      h(
        'section',
        { class: 'hero' },
        this.sign,
        h('div', { class: 'hero-words', role: 'status' }, this.headline, this.subline),
        this.spans(),
      ),
      h(
        'section',
        { class: 'tiles', 'aria-label': text('page.control.tiles') },
        ...TILES.map((tile) => this.tileOf(tile)),
      ),
      h(
        'section',
        { class: 'board' },
        h('div', { class: 'charts' }, ...this.charts.map(({ chart }) => chart.element)),
        h(
          'div',
          { class: 'side' },
          h(
            'section',
            { class: 'card needs-card', 'aria-label': text('page.control.needs') },
            h('h3', { class: 'card-title' }, text('page.control.needs'), this.needCount),
            h('div', { class: 'scroll' }, this.needs, this.calm),
          ),
          h(
            'section',
            { class: 'card', 'aria-label': text('page.control.talkers') },
            h('h3', { class: 'card-title' }, text('page.control.talkers')),
            h('div', { class: 'scroll' }, this.talkers),
          ),
          h(
            'section',
            { class: 'card', 'aria-label': text('page.control.topics') },
            h('h3', { class: 'card-title' }, text('page.control.topics')),
            h('div', { class: 'scroll' }, this.topics),
          ),
        ),
      ),
      h(
        'section',
        { class: 'card components-card', 'aria-label': text('page.control.components') },
        h('h3', { class: 'card-title' }, text('page.control.components')),
        this.components,
      ),
    );
    this.poll.start();
  }

  show(): void {
    this.poll.now();
  }

  close(): void {
    this.poll.stop();
    for (const { chart } of this.charts) chart.close();
  }

  private chartOf(
    title: string,
    unit: Unit,
    lines: readonly [SeriesName, string, Colour, boolean][],
  ): { chart: Chart; series: SeriesName[] } {
    const drawn = lines.map(([, label, colour, isFilled]) => ({
      label: text(label),
      colour,
      isFilled,
    }));
    return {
      chart: new Chart(text(title), unit, drawn),
      series: lines.map(([series]) => series),
    };
  }

  private tileOf(tile: Tile): HTMLElement {
    const value = h('strong', {}, NOTHING);
    const spark = new Sparkline(tile.colour);
    this.tiles.set(tile.series, { value, spark, tile });
    return h(
      'div',
      { class: 'tile card' },
      h('span', { class: 'tile-title' }, text(tile.title)),
      value,
      spark.element,
    );
  }

  private spans(): HTMLElement {
    const group = h('div', {
      class: 'segments',
      role: 'group',
      'aria-label': text('page.control.span'),
    });
    for (const [label, span] of SPANS) {
      const button = h(
        'button',
        { type: 'button', 'aria-pressed': String(span === this.span) },
        text(label),
      );
      button.addEventListener('click', () => {
        this.span = span;
        this.looks = 0;
        for (const each of group.children)
          setAttribute(each, 'aria-pressed', String(each === button));
        this.poll.now();
      });
      group.append(button);
    }
    return group;
  }

  private async look(): Promise<void> {
    const { api } = this.context;
    const wantsSlow = this.span <= SLOW_SPAN_MS || this.looks % SLOW_LOOKS === 0;
    this.looks += 1;
    try {
      const [overview, course, recent] = await Promise.all([
        api.call('control.overview', {}),
        wantsSlow ? api.call('control.samples', { span: this.span }) : undefined,
        api.call('control.samples', { span: SPARK_POINTS * 1000 }),
      ]);
      this.drawOverview(overview);
      this.drawTiles(recent);
      if (course) this.drawCharts(course);
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
  }

  private drawCharts({ times, series }: SamplesResult): void {
    for (const { chart, series: names } of this.charts) {
      chart.draw(
        times,
        names.map((name) => series[name] ?? []),
      );
    }
  }

  private drawTiles({ series }: SamplesResult): void {
    for (const [name, { value, spark, tile }] of this.tiles) {
      const column = series[name] ?? [];
      const last = [...column].reverse().find((each) => each !== null);
      setText(value, typeof last !== 'number' ? NOTHING : tile.say(last));
      spark.draw(padded(column), undefined, name === 'memory' ? 0 : 1e-9);
    }
  }

  private drawOverview(overview: ControlOverview): void {
    const { needs } = overview;
    const isBad = needs.some(({ severity }) => severity === 'bad');
    const tone = isBad ? 'bad' : needs.length > 0 ? 'caution' : 'good';
    if (this.sign.dataset['tone'] !== tone) {
      this.sign.dataset['tone'] = tone;
      fill(this.sign, icon(tone === 'good' ? 'good' : 'warn'));
    }
    setText(
      this.headline,
      needs.length === 0
        ? text('page.control.well')
        : text('page.control.needs-you', { count: needs.length }),
    );
    setText(
      this.subline,
      text('page.control.subline', {
        running: overview.appsRunning,
        apps: overview.apps,
        clients: overview.clients,
        topics: overview.topicCount,
        subscriptions: overview.subscriptions,
      }),
    );
    this.drawNeeds(needs);
    this.drawTalkers(overview.talkers);
    this.drawTopics(overview.topics);
    this.drawComponents(overview.components);
  }

  private drawNeeds(needs: readonly Need[]): void {
    this.calm.hidden = needs.length > 0;
    this.needCount.hidden = needs.length === 0;
    setText(this.needCount, String(needs.length));
    keyed(
      this.needs,
      needs,
      (need) => `${need.kind} ${need.subject ?? ''} ${need.severity}`,
      (need) => this.needOf(need),
      (element, need) => {
        const title = element.querySelector('.need-title');
        const detail = element.querySelector<HTMLElement>('.need-detail');
        if (title) setText(title, titleOf(need));
        if (!detail) return;
        const words = said(need.detail, need.phrases);
        setText(detail, words);
        detail.title = words;
      },
    );
  }

  private needOf(need: Need): HTMLElement {
    const deed = h('button', { type: 'button', class: 'small' }, deedOf(need));
    deed.addEventListener('click', () => void this.see(need));
    return h(
      'li',
      { class: `need ${need.severity}` },
      h('i', { class: `dot ${need.severity}` }),
      h(
        'div',
        {},
        h('strong', { class: 'need-title' }),
        h('span', { class: 'need-detail', dir: 'auto' }),
      ),
      deed,
    );
  }

  /** The action of what needs a person. */
  private async see(need: Need): Promise<void> {
    const { context } = this;
    const subject = need.subject ?? '';
    const name = need.name ?? subject;
    switch (need.kind) {
      case 'vault_locked':
        await context.act(
          'vault.unlock',
          (password) => (password === '' ? {} : { password }),
          text('page.control.vault.unlocked'),
          need.name === 'password'
            ? {
                title: text('page.control.vault.unlock-title'),
                label: text('page.control.vault.unlock'),
                secret: text('page.control.vault.password'),
              }
            : undefined,
        );
        break;
      case 'app_failed':
      case 'app_restarting':
        await context.act(
          'apps.restart',
          () => ({ app: subject }),
          text('page.control.apps.restarted', { name }),
        );
        break;
      case 'app_unresponsive':
        context.show('apps', subject);
        return;
      case 'dead_letters':
        context.show('bus', '#letters');
        return;
      case 'slow_readers':
      case 'full_queues':
        context.show('bus', '#queues');
        return;
      case 'disk':
      case 'log_damaged':
        context.show('storage');
        return;
      case 'audit':
        context.show('audit');
        return;
      case 'vault_memory':
        context.show('vault');
        return;
      case 'component':
        if (subject === 'federation' || subject === 'web') context.show(subject);
        else if (subject === 'permissions') context.show('permissions');
        else this.components.scrollIntoView({ block: 'center' });
        return;
    }
    this.poll.now();
  }

  private drawTalkers(talkers: readonly Talker[]): void {
    const most = Math.max(1e-9, ...talkers.map((talker) => talker.rate));
    placed(
      this.talkers,
      this.talkerOrder.of(talkers),
      ({ app, client }) => `${app} ${client}`,
      ({ app }) => this.barOf(colourOf(app), () => this.context.show('apps', app)),
      (element, talker) =>
        drawBar(
          element,
          talker.app,
          talker.client === 'main' ? '' : talker.client,
          talker.rate,
          most,
        ),
    );
  }

  private drawTopics(topics: readonly BusyTopic[]): void {
    const most = Math.max(1e-9, ...topics.map((topic) => topic.rate));
    placed(
      this.topics,
      this.topicOrder.of(topics),
      ({ topic }) => topic,
      ({ topic }) => this.barOf('c1', () => this.context.show('bus', topic)),
      (element, { topic, readers, rate: each }) =>
        drawBar(element, topic, text('page.control.readers', { count: readers }), each, most),
    );
  }

  private barOf(colour: Colour, go: () => void): HTMLElement {
    const button = h(
      'button',
      { type: 'button', class: 'bar' },
      h('i', { class: `fill ${colour}` }),
      h('span', { class: 'bar-name', dir: 'auto' }),
      h('span', { class: 'bar-note' }),
      h('span', { class: 'bar-value' }),
    );
    button.addEventListener('click', go);
    return h('li', {}, button);
  }

  private drawComponents(components: Record<string, ComponentHealth>): void {
    keyed(
      this.components,
      Object.entries(components),
      ([name]) => name,
      ([name]) =>
        h(
          'li',
          {},
          h('i', { class: 'dot' }),
          h('strong', {}, textOr(`page.control.component.${name}`, name)),
          h('span', { class: 'component-detail', dir: 'auto' }),
        ),
      (element, [, health]) => {
        const dot = element.querySelector('.dot');
        const detail = element.querySelector<HTMLElement>('.component-detail');
        const words =
          said(health.detail, health.phrases) ||
          textOr(`page.control.status.${health.status}`, health.status);
        if (dot) dot.className = `dot ${TONES[health.status]}`;
        if (!detail) return;
        setText(detail, words);
        detail.title = words;
      },
    );
  }
}

const TONES = { ok: 'good', degraded: 'caution', failed: 'bad', off: 'off' } as const;

function titleOf(need: Need): string {
  const subject = need.subject ?? '';
  return textOr(`page.control.need.${need.kind}`, need.kind, {
    name:
      need.name !== undefined && need.name !== ''
        ? need.name
        : textOr(`page.control.component.${subject}`, subject),
    count: need.count ?? 0,
  });
}

function deedOf({ kind }: Need): string {
  if (kind === 'vault_locked') return text('page.control.vault.unlock');
  if (kind === 'app_failed') return text('page.control.apps.restart');
  if (kind === 'app_restarting') return text('page.control.apps.restart-now');
  return text('page.control.look');
}

function drawBar(
  element: HTMLElement,
  name: string,
  note: string,
  each: number,
  most: number,
): void {
  const find = (selector: string): HTMLElement | null =>
    element.querySelector<HTMLElement>(selector);
  const fillBar = find('.fill');
  if (fillBar) fillBar.style.transform = `scaleX(${Math.max(0.004, each / most).toFixed(3)})`;
  const [title, words, value] = [find('.bar-name'), find('.bar-note'), find('.bar-value')];
  if (title) {
    setText(title, name);
    title.title = name;
  }
  if (words) setText(words, note);
  if (value) setText(value, rate(each));
}

/** The newest samples stand at the right end, however few there are. */
function padded(column: readonly (number | null)[]): (number | null)[] {
  const missing = Math.max(0, SPARK_POINTS - column.length);
  return [...Array.from({ length: missing }, () => null), ...column.slice(-SPARK_POINTS)];
}
