import type { ControlOverview } from '../generated/protocol';
import { Api } from './backend/api';
import { words } from './errors';
import { add, fill, h, isTyping, setAttribute, setText } from './dom';
import { duration } from './format';
import { icon } from './icons';
import { ask } from './widgets/modal';
import { Keys } from './widgets/keys';
import { OperatorButton, shutOut } from './widgets/operator-button';
import type { Command, Context, Page, PageEntry, Question } from './pages/page';
import { fitting, Palette } from './widgets/palette';
import { PAGES, panelEntry } from './pages/pages';
import { Poll } from './backend/poll';
import { text } from '../renderer/language';
import type { Transport } from './backend/transport';

const STATUS_MS = 2000;
const NOTICE_MS = 6000;
const MAX_TOPIC_COMMANDS = 12;
/** Places in the list above which there is a gap. */
const FIRST_OF_GROUP = new Set([3, 6, 10]);

/** The control centre as a whole: where one is, how the backend is, and what one page needs of it. */
export class Centre implements Context {
  readonly api: Api;
  acts = false;
  private readonly title = h('h1', { id: 'title', tabindex: '-1' });
  private readonly host = h('div', { id: 'page' });
  private readonly away = h(
    'p',
    { id: 'away', role: 'alert', hidden: true },
    text('page.control.away'),
  );
  private readonly notice = h('div', { id: 'notice', role: 'status', 'aria-live': 'polite' });
  private readonly links = new Map<string, HTMLAnchorElement>();
  private readonly badge = h('span', { class: 'nav-badge', hidden: true });
  private readonly foot = h('div', { class: 'nav-foot' });
  private readonly dot = h('i', { class: 'dot' });
  private readonly uptime = h('span', { class: 'label' });
  private readonly palette = new Palette((words) => this.commands(words));
  private readonly keys = new Keys();
  private readonly health = new Poll(STATUS_MS, () => this.look());
  private page: Page | undefined;
  private what = '';
  private entry: PageEntry | undefined;
  private noticeTimer: number | undefined;
  private apps: { app: string; name: string }[] = [];
  private entries: readonly PageEntry[] = PAGES;
  private readonly list = h('ul');
  private wanted = '';
  private isOver = false;
  private readonly operator: OperatorButton | undefined;

  constructor(private readonly transport: Transport) {
    this.api = new Api(transport);
    const { operator } = transport;
    if (!operator) return;
    this.operator = new OperatorButton(operator, this, () => this.health.now());
    operator.onShutOut(() => this.shutOut());
  }

  start(): void {
    document.title = text('page.control.title');
    const main = h('main', { id: 'main' }, this.header(), this.away, this.host);
    add(document.body, h('div', { id: 'centre' }, this.nav(), main), this.notice);
    document.addEventListener('keydown', (event) => this.key(event));
    this.transport.onShow((page) => {
      const at = page.indexOf('/');
      if (at < 0) this.show(page);
      else this.show(page.slice(0, at), page.slice(at + 1));
    });
    this.transport.onConnected((connected) => {
      this.away.hidden = connected;
      if (connected) this.health.now();
    });
    this.transport.ready();
    this.health.start();
  }

  show(name: string, what = ''): void {
    const found = this.entries.find((each) => each.name === name);
    // A panel of the shell's own may be listed only in a moment.
    this.wanted = found ? '' : name;
    const entry = found ?? PAGES[0];
    if (!entry || this.isOver) return;
    if (entry !== this.entry) {
      this.page?.close();
      this.entry = entry;
      this.page = entry.make(this);
      fill(this.host, this.page.element);
      setText(this.title, entry.title);
      document.title = `${entry.title} – ${text('page.control.title')}`;
      this.markLink();
    }
    this.what = what;
    this.page?.show(what);
    this.transport.shown?.(what ? `${name}/${what}` : name);
  }

  tell(message: string, isGood: boolean): void {
    window.clearTimeout(this.noticeTimer);
    this.notice.className = isGood ? 'shown good' : 'shown bad';
    const close = h(
      'button',
      { type: 'button', class: 'ghost', 'aria-label': text('page.control.close') },
      icon('close'),
    );
    close.addEventListener('click', () => this.hush());
    fill(this.notice, icon(isGood ? 'good' : 'warn'), h('span', {}, message), close);
    // A failure stays until something else happens.
    if (isGood) this.noticeTimer = window.setTimeout(() => this.hush(), NOTICE_MS);
  }

  ask(question: Question): Promise<string | undefined> {
    return ask(question);
  }

  act: Context['act'] = async (method, params, done, question) => {
    const secret = question ? await this.ask(question) : '';
    if (secret === undefined) return false;
    try {
      await this.api.call(method, params(secret));
    } catch (error) {
      this.tell(words(error), false);
      return false;
    }
    this.tell(done, true);
    return true;
  };

  private showAnew(): void {
    const { entry } = this;
    this.entry = undefined;
    if (entry) this.show(entry.name, this.what);
  }

  /** Nothing of the pages is left in a browser that may not look any more. */
  private shutOut(): void {
    this.isOver = true;
    this.health.stop();
    this.page?.close();
    this.page = undefined;
    this.hush();
    fill(document.body, shutOut());
  }

  private hush(): void {
    this.notice.className = '';
    this.notice.textContent = '';
  }

  private nav(): HTMLElement {
    this.drawLinks();
    add(this.foot, this.dot, this.uptime);
    return h(
      'nav',
      { id: 'nav', 'aria-label': text('page.control.nav') },
      h(
        'div',
        { class: 'brand' },
        mark(),
        h('span', { class: 'label' }, text('page.control.title')),
      ),
      this.list,
      this.foot,
    );
  }

  private drawLinks(): void {
    fill(
      this.list,
      ...this.entries.map((entry, at) =>
        h('li', { class: FIRST_OF_GROUP.has(at) ? 'first' : '' }, this.linkTo(entry)),
      ),
    );
    this.markLink();
  }

  private linkTo(entry: PageEntry): HTMLElement {
    const link = h(
      'a',
      { href: `#${entry.name}`, title: entry.title },
      icon(entry.icon),
      h('span', { class: 'label' }, entry.title),
      entry.name === 'overview' && this.badge,
    );
    link.addEventListener('click', (event) => {
      event.preventDefault();
      this.show(entry.name);
    });
    this.links.set(entry.name, link);
    return link;
  }

  private markLink(): void {
    for (const [name, element] of this.links) {
      setAttribute(element, 'aria-current', name === this.entry?.name ? 'page' : undefined);
    }
  }

  /** The panels that the shell has added are pages too. */
  private async lookForPanels(): Promise<void> {
    const { panels = [] } = await this.api.call('panels.list', {});
    const own = panels.filter((panel) => panel.own);
    const names = own.map(({ name }) => `panel:${name}`);
    const known = this.entries.slice(PAGES.length).map(({ name }) => name);
    if (names.join(' ') !== known.join(' ')) {
      this.entries = [...PAGES, ...own.map(({ name, title }) => panelEntry(name, title))];
      this.drawLinks();
    }
    if (names.includes(this.wanted)) this.show(this.wanted);
  }

  private header(): HTMLElement {
    const go = h(
      'button',
      { type: 'button', id: 'go', 'aria-keyshortcuts': 'Control+K' },
      icon('search'),
      h('span', { class: 'label' }, text('page.control.go')),
      h('kbd', {}, text('page.control.key.palette')),
    );
    go.addEventListener('click', () => this.palette.open());
    return h(
      'header',
      { id: 'top' },
      this.title,
      h('div', { id: 'tools' }),
      this.operator?.element,
      go,
    );
  }

  /** How the backend is, beside every page. */
  private async look(): Promise<void> {
    try {
      const overview = await this.api.call('control.overview', {});
      this.draw(overview);
      await this.lookForPanels();
    } catch {
      this.dot.className = 'dot bad';
    }
  }

  private draw(overview: ControlOverview): void {
    const mayActAnew = this.acts !== overview.acts;
    this.acts = overview.acts;
    this.operator?.draw(overview);
    // The buttons of a page follow from it.
    if (mayActAnew && this.operator) this.showAnew();
    const bad = overview.needs.some(({ severity }) => severity === 'bad');
    this.dot.className = `dot ${bad ? 'bad' : overview.needs.length > 0 ? 'caution' : 'good'}`;
    setText(this.uptime, text('page.control.up', { time: duration(overview.uptime) }));
    this.foot.title = `deskbus ${overview.version}`;
    this.badge.hidden = overview.needs.length === 0;
    this.badge.classList.toggle('bad', bad);
    setText(this.badge, String(overview.needs.length));
  }

  private async commands(typed: string): Promise<Command[]> {
    const pages: Command[] = this.entries.map((entry) => ({
      id: entry.name,
      label: entry.title,
      note: text('page.control.palette.page'),
      icon: entry.icon,
      run: () => this.show(entry.name),
    }));
    if (this.apps.length === 0) await this.loadApps();
    const apps = this.apps.flatMap((app) => this.commandsOf(app));
    const vault: Command[] = this.acts
      ? [
          {
            id: 'lock',
            label: text('page.control.vault.lock'),
            note: text('page.control.vault'),
            icon: 'lock',
            run: () => this.show('vault', 'lock'),
          },
          {
            id: 'publish',
            label: text('page.control.bus.publish'),
            note: text('page.control.bus'),
            icon: 'send',
            run: () => this.show('bus', '#publish'),
          },
        ]
      : [];
    const found = fitting([...pages, ...apps, ...vault], typed);
    return typed.length < 2 ? found : [...found, ...(await this.topics(typed))];
  }

  private async loadApps(): Promise<void> {
    try {
      const { apps } = await this.api.call('apps.list', {});
      this.apps = apps.map(({ app, name }) => ({ app, name }));
    } catch {
      this.apps = [];
    }
  }

  private commandsOf({ app, name }: { app: string; name: string }): Command[] {
    const open: Command = {
      id: `app:${app}`,
      label: name,
      note: app,
      icon: 'apps',
      run: () => this.show('apps', app),
    };
    if (!this.acts) return [open];
    return [
      open,
      {
        id: `restart:${app}`,
        label: text('page.control.apps.restart-name', { name }),
        note: app,
        icon: 'restart',
        run: () =>
          void this.act(
            'apps.restart',
            () => ({ app }),
            text('page.control.apps.restarted', { name }),
          ),
      },
    ];
  }

  private async topics(typed: string): Promise<Command[]> {
    try {
      const { topics } = await this.api.call('control.traffic', {
        search: typed,
        limit: MAX_TOPIC_COMMANDS,
      });
      return topics.map(({ topic }) => ({
        id: `topic:${topic}`,
        label: topic,
        note: text('page.control.palette.topic'),
        icon: 'bus',
        run: () => this.show('bus', topic),
      }));
    } catch {
      return [];
    }
  }

  private key(event: KeyboardEvent): void {
    const { key } = event;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && key.toLowerCase() === 'k') this.palette.open();
    else if (isCommand && key.toLowerCase() === 'w') this.transport.close();
    else if (document.querySelector('dialog[open]') || event.altKey || isCommand) return;
    else if (key === 'Escape') this.escape();
    else if (isTyping(event.target)) return;
    else if (key === '/') this.page?.search?.();
    else if (key === '?') this.keys.open();
    else if (/^[0-9]$/.test(key))
      this.show(this.entries[(Number(key) + 9) % 10]?.name ?? 'overview');
    else return;
    event.preventDefault();
  }

  private escape(): void {
    if (this.page?.escape?.()) return;
    this.hush();
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  }
}

function mark(): HTMLElement {
  return h('span', { class: 'mark', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
}
