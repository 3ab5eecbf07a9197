import type { AppStats, AppStatus, Limits } from '../../../generated/protocol';
import { Poll } from '../../backend/poll';
import { colourOf, type Colour } from '../../charts/colours';
import { Sparkline } from '../../charts/sparkline';
import { add, h, setText } from '../../dom';
import { bytes, duration, NOTHING, number, percent } from '../../format';
import { button } from '../../widgets/button';
import { pill, plain } from '../../widgets/cells';
import { Drawer } from '../../widgets/drawer';
import { Grid, type Column } from '../../widgets/grid';
import { SearchField } from '../../widgets/search-field';
import { text } from '../../../renderer/language';
import type { Context, Page } from '../page';
import { pageFrame, soleTable } from '../page-frame';
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
export class Apps implements Page {
  readonly element: HTMLElement;
  private readonly field = new SearchField(text('page.control.apps.search'), () => this.draw());
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
    this.element = pageFrame(
      [this.field.element, this.about],
      soleTable(this.grid.element),
      this.drawer,
    );
    this.poll.start();
  }

  show(app: string): void {
    if (app !== '') this.open(app);
    this.poll.now();
  }

  search(): void {
    this.field.focus();
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
    const search = this.field.words.toLowerCase();
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

  private drawerClosed(): void {
    this.wanted = '';
    delete this.drawer.element.dataset['key'];
    this.grid.select('');
  }
}
