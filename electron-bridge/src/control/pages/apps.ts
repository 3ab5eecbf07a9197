import type {
  AppProcessInfo,
  AppStats,
  AppStatus,
  ControlAppResult,
  Crash,
  Limits,
} from '../../generated/protocol';
import { colourOf, type Colour } from '../charts/colours';
import { Drawer } from '../widgets/drawer';
import { add, fill, h, keyed, setText } from '../dom';
import { bytes, duration, NOTHING, number, percent, time } from '../format';
import { Grid, type Column } from '../widgets/grid';
import { icon } from '../icons';
import type { Context, Page } from './page';
import { Poll } from '../backend/poll';
import { Sparkline } from '../charts/sparkline';
import { text, textOr } from '../../renderer/language';
import { facts, pill, plain } from './bus/bus';

const LOOK_MS = 2000;
const ROW_PX = 58;
const MB = 1024 * 1024;
const SPARK_SAMPLES = 60;

const TONES: Record<AppStatus['state'], string> = {
  stopped: 'quiet',
  starting: 'accent',
  ready: 'good',
  degraded: 'caution',
  unresponsive: 'bad',
  stopping: 'quiet',
  crashed: 'bad',
  restarting: 'caution',
  failed: 'bad',
};
const AWAY: readonly AppStatus['state'][] = ['stopped', 'crashed', 'failed'];

const LIMITS: readonly [keyof Limits, string, string][] = [
  ['memory_mb', 'page.control.limit.memory', 'MB'],
  ['cpu_percent', 'page.control.limit.cpu', '%'],
  ['processes', 'page.control.limit.processes', ''],
  ['open_files', 'page.control.limit.files', ''],
  ['messages_per_s', 'page.control.limit.messages', '/s'],
  ['bus_kb_per_s', 'page.control.limit.bus', 'kB/s'],
  ['log_kb_per_s', 'page.control.limit.log', 'kB/s'],
  ['strikes', 'page.control.limit.strikes', ''],
];

interface AppRow {
  status: AppStatus;
  stats: AppStats | undefined;
  cpu: number[];
  memory: number[];
}

/** Each app: how it is, what it takes of what it may, and what ended it before. */
export class Apps implements Page {
  readonly element: HTMLElement;
  private readonly field = h('input', {
    type: 'search',
    placeholder: text('page.control.apps.search'),
    'aria-label': text('page.control.apps.search'),
    autocomplete: 'off',
    spellcheck: 'false',
  });
  private readonly about = h('span', { class: 'quiet about' });
  private readonly grid: Grid<AppRow>;
  private readonly drawer = new Drawer(() => this.drawerClosed());
  private readonly poll = new Poll(LOOK_MS, () => this.look());
  private readonly sparks = new WeakMap<HTMLElement, { spark: Sparkline; words: HTMLElement }>();
  private readonly details = new AppDetails();
  private rows: AppRow[] = [];
  private wanted = '';

  constructor(private readonly context: Context) {
    this.grid = new Grid<AppRow>({
      label: text('page.control.apps'),
      key: ({ status }) => status.app,
      empty: text('page.control.apps.none'),
      height: ROW_PX,
      onOpen: ({ status }) => this.open(status.app),
      columns: this.columns(),
    });
    this.field.addEventListener('input', () => this.draw());
    this.element = h(
      'div',
      { class: 'page-frame' },
      h('div', { class: 'page-bar' }, this.field, this.about),
      h(
        'div',
        { class: 'page-split' },
        h('div', { class: 'tab-host' }, h('div', { class: 'card view' }, this.grid.element)),
        this.drawer.element,
      ),
    );
    this.poll.start();
  }

  show(app: string): void {
    if (app !== '') this.open(app);
    this.poll.now();
  }

  search(): void {
    this.field.focus();
    this.field.select();
  }

  escape(): boolean {
    return this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    this.grid.close();
  }

  private async look(): Promise<void> {
    const { api } = this.context;
    try {
      const [{ apps }, stats, usage] = await Promise.all([
        api.call('apps.list', {}),
        api.call('apps.stats', {}),
        api.call('control.usage', {}),
      ]);
      const figures = new Map(stats.apps.map((each) => [each.app, each]));
      const courses = new Map(usage.apps.map((each) => [each.app, each]));
      this.rows = apps.map((status) => ({
        status,
        stats: figures.get(status.app),
        cpu: courses.get(status.app)?.cpu ?? [],
        memory: courses.get(status.app)?.memory ?? [],
      }));
      setText(
        this.about,
        text('page.control.apps.about', { count: apps.length, enforced: stats.enforced }),
      );
      this.draw();
      if (this.wanted !== '') await this.lookAtOne(this.wanted);
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
  }

  private draw(): void {
    const search = this.field.value.trim().toLowerCase();
    this.grid.draw(
      this.rows.filter(({ status }) =>
        `${status.name} ${status.app}`.toLowerCase().includes(search),
      ),
    );
  }

  private columns(): Column<AppRow>[] {
    return [
      {
        id: 'name',
        title: text('page.control.apps.app'),
        width: 'minmax(150px, 1.2fr)',
        by: ({ status }) => status.name,
        make: (cell) =>
          add(
            cell,
            h('span', { class: 'avatar' }),
            h(
              'div',
              { class: 'two-lines' },
              h('strong', { dir: 'auto' }),
              h('span', { class: 'quiet mono' }),
            ),
          ),
        draw: (cell, { status }) => {
          const [avatar, lines] = cell.children;
          const [name, id] = lines?.children ?? [];
          if (!avatar || !name || !id) return;
          setText(avatar, Array.from(status.name)[0]?.toUpperCase() ?? '');
          avatar.className = `avatar ${colourOf(status.app)}`;
          setText(name, status.name);
          setText(id, status.app);
          cell.className = 'named';
          cell.title = `${status.name} (${status.app})`;
        },
      },
      {
        id: 'state',
        title: text('page.control.apps.state'),
        width: '128px',
        by: ({ status }) => status.state,
        make: (cell) => add(cell, h('span', { class: 'pill' })),
        draw: (cell, { status }) => {
          pill(cell, stateOf(status), TONES[status.state]);
          cell.title = status.detail ?? status.crash?.detail ?? '';
        },
      },
      this.usageColumn('cpu', 'page.control.apps.cpu', 'c1'),
      this.usageColumn('memory', 'page.control.apps.memory', 'c4'),
      {
        id: 'processes',
        title: text('page.control.apps.processes'),
        width: '84px',
        isEnd: true,
        from: 900,
        by: ({ stats }) => stats?.sample?.processes ?? 0,
        draw: (cell, { stats }) => plain(cell, countOf(stats?.sample?.processes)),
      },
      {
        id: 'restarts',
        title: text('page.control.apps.restarts'),
        width: '84px',
        isEnd: true,
        from: 760,
        by: ({ status }) => status.restarts ?? 0,
        draw: (cell, { status }) =>
          plain(cell, number(status.restarts ?? 0), (status.restarts ?? 0) > 0 ? 'warn' : 'quiet'),
      },
      {
        id: 'uptime',
        title: text('page.control.apps.uptime'),
        width: '110px',
        isEnd: true,
        from: 900,
        by: ({ stats }) => stats?.uptime ?? 0,
        draw: (cell, { stats }) =>
          plain(cell, stats?.uptime === undefined ? NOTHING : duration(stats.uptime), 'quiet'),
      },
    ];
  }

  private usageColumn(kind: 'cpu' | 'memory', title: string, colour: Colour): Column<AppRow> {
    const now = (row: AppRow): number =>
      kind === 'cpu' ? cpuOf(row) : (row.stats?.sample?.memoryBytes ?? 0);
    return {
      id: kind,
      title: text(title),
      width: 'minmax(120px, 0.8fr)',
      from: kind === 'cpu' ? 640 : 480,
      by: now,
      make: (cell) => {
        const spark = new Sparkline(colour);
        const words = h('span', { class: 'usage-words' });
        add(cell, h('div', { class: 'usage' }, spark.element, words));
        this.sparks.set(cell, { spark, words });
      },
      draw: (cell, row) => {
        const made = this.sparks.get(cell);
        if (!made) return;
        const { limits, sample } = row.stats ?? {};
        const limit = kind === 'cpu' ? limits?.cpu_percent : megabytes(limits?.memory_mb);
        const say = kind === 'cpu' ? percent : bytes;
        const used = sample ? say(now(row)) : NOTHING;
        setText(made.words, limit === undefined ? used : `${used} / ${say(limit)}`);
        const course = kind === 'cpu' ? row.cpu : row.memory;
        const missing = Math.max(0, SPARK_SAMPLES - course.length);
        const padded = [
          ...Array.from({ length: missing }, () => null),
          ...course.slice(-SPARK_SAMPLES),
        ];
        made.spark.draw(padded, limit, kind === 'cpu' ? 5 : MB);
        const share = limit === undefined ? 0 : now(row) / limit;
        made.words.classList.toggle('near-limit', share > 0.8);
      },
    };
  }

  private open(app: string): void {
    this.wanted = app;
    this.grid.select(app);
    this.details.clear();
    this.drawer.open(app, '', [], this.details.element);
    void this.lookAtOne(app);
  }

  private async lookAtOne(app: string): Promise<void> {
    const row = this.rows.find(({ status }) => status.app === app);
    try {
      const found = await this.context.api.call('control.app', { app });
      if (this.wanted !== app) return;
      this.details.draw(found, row);
      if (row) this.drawHead(row);
    } catch (error) {
      if (this.wanted === app) this.details.fail(error instanceof Error ? error.message : '');
    }
  }

  private drawHead({ status, stats }: AppRow): void {
    const key = `${status.app} ${status.state} ${this.context.acts}`;
    if (this.drawer.element.dataset['key'] === key) return;
    this.drawer.element.dataset['key'] = key;
    this.drawer.head(status.name, `${status.app} · ${stateOf(status)}`, this.deeds(status, stats));
  }

  private deeds({ app, name, state }: AppStatus, stats: AppStats | undefined): HTMLElement[] {
    if (!this.context.acts) return [];
    const isAway = AWAY.includes(state);
    const restart = h(
      'button',
      { type: 'button', class: isAway ? 'primary' : '' },
      icon(isAway ? 'play' : 'restart'),
      text(isAway ? 'page.control.apps.start' : 'page.control.apps.restart'),
    );
    restart.addEventListener('click', () => {
      void this.context
        .act(
          'apps.restart',
          () => ({ app }),
          text(isAway ? 'page.control.apps.started' : 'page.control.apps.restarted', { name }),
          isAway
            ? undefined
            : {
                title: text('page.control.apps.restart-title', { name }),
                text: text('page.control.apps.restart-text'),
                label: text('page.control.apps.restart'),
              },
        )
        .then(() => this.poll.now());
    });
    const stop = h(
      'button',
      { type: 'button', class: 'danger' },
      icon('stop'),
      text('page.control.apps.stop'),
    );
    stop.disabled = isAway;
    stop.addEventListener('click', () => {
      void this.context
        .act('apps.terminate', () => ({ app }), text('page.control.apps.stopped', { name }), {
          title: text('page.control.apps.stop-title', { name }),
          text: text('page.control.apps.stop-text'),
          label: text('page.control.apps.stop'),
          isDangerous: true,
        })
        .then(() => this.poll.now());
    });
    const limits = h('button', { type: 'button' }, text('page.control.apps.limits-change'));
    limits.addEventListener('click', () => this.changeLimits(app, name, stats?.limits ?? {}));
    const audit = h('button', { type: 'button' }, icon('audit'), text('page.control.audit'));
    audit.addEventListener('click', () => this.context.show('audit', `app:${app}`));
    return [restart, stop, limits, audit];
  }

  /** In place of the details, a form with the limits as they are. */
  private changeLimits(app: string, name: string, limits: Limits): void {
    const fields = LIMITS.map(([key, label, unit]) => {
      const field = h('input', { type: 'number', min: '1', step: 'any', name: key });
      const value = limits[key];
      field.value = value === undefined ? '' : String(value);
      field.placeholder = text('page.control.limit.none');
      const words = unit === '' ? text(label) : `${text(label)} (${unit})`;
      return { key, field, element: h('label', { class: 'field' }, h('span', {}, words), field) };
    });
    const cancel = h('button', { type: 'button' }, text('page.control.cancel'));
    const save = h(
      'button',
      { type: 'submit', class: 'primary' },
      text('page.control.apps.limits-save'),
    );
    const form = h(
      'form',
      { class: 'limits-form' },
      h('p', { class: 'quiet' }, text('page.control.apps.limits-text')),
      h('div', { class: 'fields' }, ...fields.map(({ element }) => element)),
      h('div', { class: 'buttons' }, cancel, save),
    );
    const back = (): void => {
      delete this.drawer.element.dataset['key'];
      this.open(app);
    };
    cancel.addEventListener('click', back);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const changed: Record<string, number> = {};
      for (const { key, field } of fields)
        if (field.value !== '') changed[key] = Number(field.value);
      void this.context
        .act(
          'apps.setLimits',
          () => ({ app, limits: changed }),
          text('page.control.apps.limits-saved', { name }),
        )
        .then((isDone) => {
          if (!isDone) return;
          back();
          this.poll.now();
        });
    });
    this.wanted = '';
    this.drawer.open(text('page.control.apps.limits-of', { name }), app, [], form);
    fields[0]?.field.focus();
  }

  private drawerClosed(): void {
    this.wanted = '';
    delete this.drawer.element.dataset['key'];
    this.grid.select('');
  }
}

/** An app in the drawer. */
class AppDetails {
  readonly element: HTMLElement;
  private readonly figures = h('div');
  private readonly tree = h('ul', { class: 'process-tree' });
  private readonly log = h('pre', {
    class: 'log',
    tabindex: '0',
    'aria-label': text('page.control.apps.log'),
  });
  private readonly crashes = h('ol', { class: 'crashes' });
  private readonly problem = h('p', { class: 'problem', role: 'alert', hidden: true });

  constructor() {
    this.element = h(
      'div',
      { class: 'inspector' },
      this.problem,
      this.figures,
      h('h3', { class: 'section' }, text('page.control.apps.tree')),
      this.tree,
      h('h3', { class: 'section' }, text('page.control.apps.log')),
      this.log,
      h('h3', { class: 'section' }, text('page.control.apps.crashes')),
      this.crashes,
    );
  }

  clear(): void {
    this.problem.hidden = true;
    this.fail('');
    for (const part of [this.figures, this.log]) part.textContent = '';
    keyed(
      this.tree,
      [],
      String,
      () => h('li'),
      () => undefined,
    );
    keyed(
      this.crashes,
      [],
      String,
      () => h('li'),
      () => undefined,
    );
  }

  fail(words: string): void {
    this.problem.hidden = words === '';
    setText(this.problem, words);
  }

  draw(found: ControlAppResult, row: AppRow | undefined): void {
    this.fail('');
    if (row) fill(this.figures, factsOf(row));
    keyed(
      this.tree,
      inOrder(found.processes),
      ({ process }) => String(process.pid),
      () =>
        h(
          'li',
          {},
          h('span', { class: 'process-name', dir: 'auto' }),
          h('span', { class: 'quiet mono' }),
          h('span', { class: 'end' }),
          h('span', { class: 'end quiet' }),
        ),
      (element, { process, depth }) => {
        const [name, pid, memory, cpu] = element.children;
        if (!name || !pid || !memory || !cpu) return;
        element.style.setProperty('--depth', String(depth));
        setText(
          name,
          process.window ? `${process.name} (${text('page.control.apps.window')})` : process.name,
        );
        setText(pid, String(process.pid));
        setText(memory, bytes(process.memoryBytes));
        setText(cpu, text('page.control.apps.cpu-time', { time: duration(process.cpu) }));
      },
    );
    const atEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 4;
    setText(
      this.log,
      found.log.length > 0 ? found.log.join('\n') : text('page.control.apps.no-log'),
    );
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
    if (found.crashes.length === 0) {
      fill(this.crashes, h('li', { class: 'quiet' }, text('page.control.apps.no-crashes')));
    } else {
      fill(this.crashes, ...found.crashes.map(crashOf));
    }
  }
}

function crashOf(crash: Crash): HTMLElement {
  const how = [
    crash.signal,
    crash.exitCode === undefined
      ? undefined
      : text('page.control.apps.exit', { code: crash.exitCode }),
    text('page.control.apps.after', { time: duration(crash.uptimeMs) }),
  ].filter((each) => each !== undefined);
  return h(
    'li',
    {},
    h('span', { class: 'quiet mono' }, time(crash.at)),
    h('div', {}, h('strong', {}, crash.detail), h('span', { class: 'quiet' }, how.join(' · '))),
  );
}

function factsOf(row: AppRow): HTMLElement {
  const { status, stats } = row;
  const sample = stats?.sample;
  const limits = stats?.limits ?? {};
  const against = (value: string, limit: string | undefined): string =>
    limit === undefined ? value : text('page.control.apps.of', { value, limit });
  const memory = megabytes(limits.memory_mb);
  return facts([
    [
      text('page.control.apps.cpu'),
      against(
        sample ? percent(cpuOf(row)) : NOTHING,
        limits.cpu_percent === undefined ? undefined : percent(limits.cpu_percent),
      ),
    ],
    [
      text('page.control.apps.memory'),
      against(
        sample ? bytes(sample.memoryBytes) : NOTHING,
        memory === undefined ? undefined : bytes(memory),
      ),
    ],
    [
      text('page.control.apps.processes'),
      against(
        countOf(sample?.processes),
        limits.processes === undefined ? undefined : number(limits.processes),
      ),
    ],
    [
      text('page.control.limit.files'),
      against(
        countOf(stats?.openFiles),
        limits.open_files === undefined ? undefined : number(limits.open_files),
      ),
    ],
    [
      text('page.control.limit.messages'),
      limits.messages_per_s === undefined
        ? text('page.control.limit.none')
        : number(limits.messages_per_s),
    ],
    [text('page.control.apps.restarts'), number(status.restarts ?? 0)],
    ...(status.detail === undefined
      ? []
      : [[text('page.control.apps.detail'), status.detail] as const]),
  ]);
}

interface TreeRow {
  process: AppProcessInfo;
  depth: number;
}

/** Each process below its parent. */
function inOrder(processes: readonly AppProcessInfo[]): TreeRow[] {
  const pids = new Set(processes.map(({ pid }) => pid));
  const below = (parent: number | undefined, depth: number): TreeRow[] =>
    processes
      .filter((each) => (parent === undefined ? !pids.has(each.parent) : each.parent === parent))
      .flatMap((process) => [{ process, depth }, ...below(process.pid, depth + 1)]);
  return below(undefined, 0);
}

/** Of the last period; what is measured at the moment of a call covers no time. */
function cpuOf({ cpu }: AppRow): number {
  return cpu[cpu.length - 1] ?? 0;
}

function stateOf(status: AppStatus): string {
  const words = textOr(`page.control.app-state.${status.state}`, status.state);
  return status.restartIn === undefined ? words : `${words} (${duration(status.restartIn)})`;
}

function countOf(value: number | undefined): string {
  return value === undefined ? NOTHING : number(value);
}

function megabytes(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * MB;
}
