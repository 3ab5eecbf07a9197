import type { AppStats, AppStatus, Limits } from '../../../generated/protocol';
import { colourOf, type Colour } from '../../charts/colours';
import { Sparkline } from '../../charts/sparkline';
import { add, h, setText } from '../../dom';
import { words } from '../../errors';
import { duration, memory, NOTHING, number, percent } from '../../format';
import { button } from '../../widgets/button';
import { pill } from '../../widgets/cells';
import { figures } from '../../widgets/columns';
import type { Column } from '../../widgets/grid';
import { crashWords, troubleOf } from '../../phrases';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { TablePage } from '../table-page';
import { AppDetails } from './app-details';
import { countOf, cpuOf, MB, megabytes, stateOf, type AppRow } from './app-row';
import { LimitsForm } from './limits-form';

const LOOK_MS = 2000;
const ROW_PX = 58;
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

/** Each app: how it is, what it takes of what it may, and what ended it before. */
export class Apps extends TablePage<AppRow> {
  private readonly details = new AppDetails();
  private rows: AppRow[] = [];
  private wanted = '';

  constructor(context: Context) {
    super(context, text('page.control.apps.search'), LOOK_MS, {
      label: text('page.control.apps'),
      key: ({ status }) => status.app,
      empty: text('page.control.apps.none'),
      height: ROW_PX,
      onOpen: ({ status }) => this.open(status.app),
      columns: columns(),
    });
    this.poll.start();
  }

  show(app: string): void {
    if (app !== '') this.open(app);
    this.poll.now();
  }

  protected async look(): Promise<string> {
    const { api } = this.context;
    const [{ apps }, stats, usage] = await Promise.all([
      api.call('apps.list', {}),
      api.call('apps.stats', {}),
      api.call('control.usage', {}),
    ]);
    const figuresOf = new Map(stats.apps.map((each) => [each.app, each]));
    const courses = new Map(usage.apps.map((each) => [each.app, each]));
    this.rows = apps.map((status) => ({
      status,
      stats: figuresOf.get(status.app),
      cpu: courses.get(status.app)?.cpu ?? [],
      memory: courses.get(status.app)?.memory ?? [],
    }));
    this.draw();
    if (this.wanted !== '') await this.lookAtOne(this.wanted);
    return text('page.control.apps.about', { count: apps.length, enforced: stats.enforced });
  }

  protected override searched(): void {
    this.draw();
  }

  protected override closed(): void {
    super.closed();
    this.wanted = '';
    delete this.drawer.element.dataset['key'];
  }

  private draw(): void {
    const search = this.field.words.toLowerCase();
    this.grid.draw(
      this.rows.filter(({ status }) =>
        `${status.name} ${status.app}`.toLowerCase().includes(search),
      ),
      search !== '',
    );
  }

  /** Shows an app's details as soon as there is something to show. */
  private open(app: string): void {
    this.wanted = app;
    this.grid.select(app);
    void this.lookAtOne(app);
  }

  private async lookAtOne(app: string): Promise<void> {
    const row = this.rows.find(({ status }) => status.app === app);
    if (!row) return;
    try {
      const found = await this.context.api.call('control.app', { app });
      if (this.wanted !== app) return;
      // A canvas that is not in view yet has no size to draw in.
      this.drawHead(row);
      this.details.draw(found, row);
    } catch (error) {
      if (this.wanted === app) this.context.tell(words(error), false);
    }
  }

  private drawHead({ status, stats }: AppRow): void {
    const key = `${status.app} ${status.state} ${this.context.acts}`;
    const known = this.drawer.element.dataset['key'] ?? '';
    if (known === key) return;
    this.drawer.element.dataset['key'] = key;
    const note = `${status.app} · ${stateOf(status)}`;
    const deeds = this.deeds(status, stats);
    if (this.drawer.isOpen && known.startsWith(`${status.app} `)) {
      this.drawer.head(status.name, note, deeds);
    } else this.drawer.open(status.name, note, deeds, this.details.element);
  }

  private deeds(status: AppStatus, stats: AppStats | undefined): HTMLElement[] {
    if (!this.context.acts) return [];
    const { app, name, state } = status;
    const isAway = AWAY.includes(state);
    const stop = button(text('page.control.apps.stop'), () => void this.stop(status), {
      style: 'danger',
      sign: 'stop',
    });
    stop.disabled = isAway;
    return [
      isAway
        ? button(text('page.control.apps.start'), () => void this.start(status), {
            style: 'primary',
            sign: 'play',
          })
        : button(text('page.control.apps.restart'), () => void this.restart(status), {
            sign: 'restart',
          }),
      stop,
      button(text('page.control.apps.limits-change'), () =>
        this.changeLimits(app, name, stats?.limits ?? {}),
      ),
      button(text('page.control.audit'), () => this.context.show('audit', `app:${app}`), {
        sign: 'audit',
      }),
    ];
  }

  private async start({ app, name }: AppStatus): Promise<void> {
    const done = text('page.control.apps.started', { name });
    await this.context.act('apps.restart', () => ({ app }), done);
    this.poll.now();
  }

  private async restart({ app, name }: AppStatus): Promise<void> {
    const done = text('page.control.apps.restarted', { name });
    await this.context.act('apps.restart', () => ({ app }), done, {
      title: text('page.control.apps.restart-title', { name }),
      text: text('page.control.apps.restart-text'),
      label: text('page.control.apps.restart'),
    });
    this.poll.now();
  }

  private async stop({ app, name }: AppStatus): Promise<void> {
    const done = text('page.control.apps.stopped', { name });
    await this.context.act('apps.terminate', () => ({ app }), done, {
      title: text('page.control.apps.stop-title', { name }),
      text: text('page.control.apps.stop-text'),
      label: text('page.control.apps.stop'),
      isDangerous: true,
    });
    this.poll.now();
  }

  /** In place of the details, a form with the limits as they are. */
  private changeLimits(app: string, name: string, limits: Limits): void {
    const back = (): void => {
      delete this.drawer.element.dataset['key'];
      this.open(app);
    };
    const save = async (changed: Limits): Promise<void> => {
      const done = text('page.control.apps.limits-saved', { name });
      const params = () => ({ app, limits: changed });
      if (!(await this.context.act('apps.setLimits', params, done))) return;
      back();
      this.poll.now();
    };
    const form = new LimitsForm(limits, (changed) => void save(changed), back);
    this.wanted = '';
    this.drawer.open(text('page.control.apps.limits-of', { name }), app, [], form.element);
    form.focus();
  }
}

function columns(): Column<AppRow>[] {
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
        cell.title = troubleOf(status) || (status.crash ? crashWords(status.crash) : '');
      },
    },
    usageColumn('cpu', 'page.control.apps.cpu', 'c1'),
    usageColumn('memory', 'page.control.apps.memory', 'c4'),
    figures('processes', text('page.control.apps.processes'), '84px', processesOf, {
      say: ({ stats }) => countOf(stats?.sample?.processes),
      from: 900,
    }),
    figures('restarts', text('page.control.apps.restarts'), '84px', restartsOf, {
      say: (row) => number(restartsOf(row)),
      kind: (row) => (restartsOf(row) > 0 ? 'warn' : 'quiet'),
      from: 760,
    }),
    figures(
      'uptime',
      text('page.control.apps.uptime'),
      '110px',
      ({ stats }) => stats?.uptime ?? 0,
      {
        say: ({ stats }) => (stats?.uptime === undefined ? NOTHING : duration(stats.uptime)),
        kind: 'quiet',
        from: 900,
      },
    ),
  ];
}

function usageColumn(kind: 'cpu' | 'memory', title: string, colour: Colour): Column<AppRow> {
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
      sparks.set(cell, { spark, words });
    },
    draw: (cell, row) => {
      const made = sparks.get(cell);
      if (!made) return;
      const { limits, sample } = row.stats ?? {};
      const limit = kind === 'cpu' ? limits?.cpu_percent : megabytes(limits?.memory_mb);
      const say = kind === 'cpu' ? percent : memory;
      made.spark.element.hidden = !sample;
      setText(
        made.words,
        !sample
          ? NOTHING
          : limit === undefined
            ? say(now(row))
            : `${say(now(row))} / ${say(limit)}`,
      );
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

/** The sparkline and the figure in each cell of a column of usage. */
const sparks = new WeakMap<HTMLElement, { spark: Sparkline; words: HTMLElement }>();

function processesOf({ stats }: AppRow): number {
  return stats?.sample?.processes ?? 0;
}

function restartsOf({ status }: AppRow): number {
  return status.restarts ?? 0;
}
