import type { ClientInfo, DeadLetter, TopicTraffic } from '../../../generated/protocol';
import { colourOf } from '../../charts/colours';
import { Drawer } from '../../widgets/drawer';
import { add, fill, h, keyed, placed, setText } from '../../dom';
import { Flow } from '../../charts/flow';
import { isTopicNode, topicNode, trafficPicture } from './traffic-picture';
import { bytes, duration, fineTime, number, percent, rate, time } from '../../format';
import { Grid } from '../../widgets/grid';
import { icon } from '../../icons';
import { briefly, jsonOf } from '../../widgets/json-view';
import type { Context, Page } from '../page';
import { Poll } from '../../backend/poll';
import { Tabs } from '../../widgets/tabs';
import { text, textOr } from '../../../renderer/language';

const LOOK_MS = 1000;
const TYPING_MS = 180;
const TAIL_KEPT = 120;
const TAIL_AT_ONCE = 40;
const LETTERS = 1000;
const MAP_TOPICS = 24;
/** Beginnings of what is looked at that name a view, for no topic begins so. */
const VIEWS = ['map', 'topics', 'letters', 'queues', 'publish'] as const;
type View = (typeof VIEWS)[number];

/** A message as the backend routed it. */
interface Envelope {
  id: string;
  topic: string;
  sender: { app: string; client: string };
  payload: unknown;
  timestamp: number;
  seq: number;
  correlationId: string;
  headers?: Record<string, string>;
  ttl?: number;
  priority?: number;
  replyTo?: string;
  origin?: string;
  redelivery?: number;
  _meta?: { traceparent?: string };
}

interface TopicRow {
  topic: string;
  rate: number;
  messages: number;
  readers: number;
  last: number;
}

/** The traffic: who talks to whom, what was said, what was not delivered, and what waits. */
export class Bus implements Page {
  readonly element: HTMLElement;
  private readonly field = h('input', {
    type: 'search',
    placeholder: text('page.control.bus.search'),
    'aria-label': text('page.control.bus.search'),
    autocomplete: 'off',
    spellcheck: 'false',
  });
  private readonly about = h('span', { class: 'quiet about' });
  private readonly flow = new Flow(
    text('page.control.bus.map'),
    [
      text('page.control.bus.writers'),
      text('page.control.bus.topics'),
      text('page.control.bus.readers'),
    ],
    text('page.control.bus.quiet'),
    (node) => {
      if (isTopicNode(node)) this.openTopic(node.name);
      else this.context.show('apps', node.name);
    },
  );
  private readonly topics: Grid<TopicRow>;
  private readonly letters: Grid<DeadLetter>;
  private readonly queues: Grid<ClientInfo>;
  private readonly lettersBar = h('div', { class: 'view-bar' });
  private readonly drawer = new Drawer(() => this.drawerClosed());
  private readonly tabs: Tabs;
  private readonly poll = new Poll(LOOK_MS, () => this.look());
  private readonly inspector: TopicInspector;
  private timer: number | undefined;
  private found: DeadLetter[] = [];

  constructor(private readonly context: Context) {
    this.topics = this.topicGrid();
    this.letters = this.letterGrid();
    this.queues = this.queueGrid();
    this.inspector = new TopicInspector(context, this.drawer);
    this.tabs = new Tabs(
      VIEWS.map((id) => ({
        id,
        label: text(`page.control.bus.view.${id}`),
        make: () => this.viewOf(id),
      })),
      text('page.control.bus.views'),
      (id) => this.viewShown(id as View),
    );
    this.field.addEventListener('input', () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.poll.now(), TYPING_MS);
    });
    this.element = h(
      'div',
      { class: 'page-frame' },
      h('div', { class: 'page-bar' }, this.tabs.bar, this.field, this.about),
      h('div', { class: 'page-split' }, this.tabs.host, this.drawer.element),
    );
    this.tabs.show('map');
    this.poll.start();
  }

  /** A topic, or the name of a view behind a `#`. */
  show(what: string): void {
    if (what.startsWith('#')) this.tabs.show(what.slice(1));
    else if (what !== '') this.openTopic(what);
    this.poll.now();
  }

  search(): void {
    this.field.focus();
    this.field.select();
  }

  escape(): boolean {
    if (document.activeElement === this.field && this.field.value !== '') {
      this.field.value = '';
      this.poll.now();
      return true;
    }
    return this.inspector.back() || this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    this.inspector.close();
    this.flow.close();
    for (const grid of [this.topics, this.letters, this.queues]) grid.close();
  }

  private viewOf(view: View): HTMLElement {
    if (view === 'map') return h('div', { class: 'card view' }, this.flow.element);
    if (view === 'topics') return h('div', { class: 'card view' }, this.topics.element);
    if (view === 'queues') return h('div', { class: 'card view' }, this.queues.element);
    if (view === 'letters') {
      return h('div', { class: 'card view barred' }, this.lettersBar, this.letters.element);
    }
    return publisher(this.context, (topic) => this.openTopic(topic));
  }

  private viewShown(view: View): void {
    const searches = view !== 'publish';
    this.field.hidden = !searches;
    this.about.textContent = '';
    if (view === 'publish') {
      this.drawer.close();
      this.tabs.host.querySelector<HTMLElement>('input')?.focus();
    }
    this.poll.now();
  }

  private async look(): Promise<void> {
    const { api } = this.context;
    const search = this.field.value.trim();
    try {
      if (this.inspector.topic !== '') await this.inspector.look();
      switch (this.tabs.shown as View) {
        case 'map': {
          const found = await api.call('control.traffic', { search, limit: MAP_TOPICS });
          const { nodes, edges } = trafficPicture(found.topics);
          this.flow.draw(nodes, edges);
          const shown = found.topics.length;
          const counts = { shown, count: found.topicCount };
          setText(
            this.about,
            text(
              shown < found.topicCount ? 'page.control.bus.some' : 'page.control.bus.all',
              counts,
            ),
          );
          break;
        }
        case 'topics':
          await this.lookAtTopics(search);
          break;
        case 'queues': {
          const { clients } = await api.call('control.clients', {});
          const wanted = search.toLowerCase();
          this.queues.draw(
            clients.filter(({ app, client }) => `${app} ${client}`.toLowerCase().includes(wanted)),
          );
          setText(this.about, text('page.control.bus.clients', { count: clients.length }));
          break;
        }
        case 'letters':
          await this.lookAtLetters(search);
          break;
        case 'publish':
          break;
      }
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
  }

  private async lookAtTopics(search: string): Promise<void> {
    const found = await this.context.api.call('control.topics', { search });
    this.topics.draw(
      found.topics.map((topic, at) => ({
        topic,
        rate: found.rates[at] ?? 0,
        messages: found.messages[at] ?? 0,
        readers: found.readers[at] ?? 0,
        last: found.last[at] ?? 0,
      })),
    );
    const counts = { shown: found.topics.length, count: found.topicCount };
    setText(
      this.about,
      text(counts.shown < counts.count ? 'page.control.bus.some' : 'page.control.bus.all', counts),
    );
  }

  private async lookAtLetters(search: string): Promise<void> {
    const { letters, total } = await this.context.api.call('bus.deadLetters', { limit: LETTERS });
    const wanted = search.toLowerCase();
    this.found = letters.filter((letter) =>
      `${letter.app} ${letter.reason} ${topicOf(letter)}`.toLowerCase().includes(wanted),
    );
    this.letters.draw(this.found);
    setText(this.about, text('page.control.bus.letters', { count: total }));
    this.drawLettersBar(total);
  }

  private drawLettersBar(total: number): void {
    this.lettersBar.hidden = total === 0 || !this.context.acts;
    if (this.lettersBar.childElementCount > 0) return;
    const redrive = h(
      'button',
      { type: 'button' },
      icon('restart'),
      text('page.control.bus.redrive-all'),
    );
    redrive.addEventListener('click', () => void this.letterAct('bus.redrive', this.found));
    const purge = h(
      'button',
      { type: 'button', class: 'danger' },
      text('page.control.bus.purge-all'),
    );
    purge.addEventListener('click', () => void this.letterAct('bus.purge', this.found));
    add(
      this.lettersBar,
      h('span', { class: 'quiet' }, text('page.control.bus.letters-hint')),
      redrive,
      purge,
    );
  }

  private async letterAct(
    method: 'bus.redrive' | 'bus.purge',
    letters: readonly DeadLetter[],
  ): Promise<void> {
    const count = letters.length;
    const isPurge = method === 'bus.purge';
    const done = text(isPurge ? 'page.control.bus.purged' : 'page.control.bus.redriven', { count });
    const question = {
      title: text('page.control.bus.purge-title', { count }),
      text: text('page.control.bus.purge-text'),
      label: text('page.control.bus.purge'),
      isDangerous: true,
    };
    const numbers = letters.map((letter) => letter.number);
    const params = (): { numbers: number[] } => ({ numbers });
    if (await this.context.act(method, params, done, isPurge ? question : undefined)) {
      this.drawer.close();
      this.poll.now();
    }
  }

  private openTopic(topic: string): void {
    this.flow.select(topicNode(topic));
    this.topics.select(topic);
    this.inspector.open(topic);
    this.poll.now();
  }

  private drawerClosed(): void {
    this.inspector.close();
    this.flow.select('');
    this.topics.select('');
    this.letters.select('');
    this.queues.select('');
  }

  private topicGrid(): Grid<TopicRow> {
    return new Grid<TopicRow>({
      label: text('page.control.bus.topics'),
      key: (row) => row.topic,
      empty: text('page.control.bus.no-topics'),
      onOpen: (row) => this.openTopic(row.topic),
      columns: [
        {
          id: 'topic',
          title: text('page.control.bus.topic'),
          width: 'minmax(150px, 1fr)',
          by: (row) => row.topic,
          draw: (cell, row) => plain(cell, row.topic, 'strong'),
        },
        {
          id: 'rate',
          title: text('page.control.bus.rate'),
          width: '110px',
          isEnd: true,
          by: (row) => row.rate,
          draw: (cell, row) => plain(cell, rate(row.rate), row.rate === 0 ? 'quiet' : ''),
        },
        {
          id: 'messages',
          title: text('page.control.bus.messages'),
          width: '110px',
          isEnd: true,
          from: 460,
          by: (row) => row.messages,
          draw: (cell, row) => plain(cell, number(row.messages)),
        },
        {
          id: 'readers',
          title: text('page.control.bus.readers'),
          width: '90px',
          isEnd: true,
          from: 560,
          by: (row) => row.readers,
          draw: (cell, row) => plain(cell, number(row.readers)),
        },
        {
          id: 'last',
          title: text('page.control.bus.last'),
          width: '130px',
          isEnd: true,
          from: 660,
          by: (row) => row.last,
          draw: (cell, row) => plain(cell, time(row.last), 'quiet'),
        },
      ],
    });
  }

  private letterGrid(): Grid<DeadLetter> {
    return new Grid<DeadLetter>({
      label: text('page.control.bus.view.letters'),
      key: (row) => String(row.number),
      empty: text('page.control.bus.no-letters'),
      onOpen: (row) => this.openLetter(row),
      columns: [
        {
          id: 'reason',
          title: text('page.control.bus.reason'),
          width: '170px',
          by: (row) => row.reason,
          draw: (cell, row) => plain(cell, reasonOf(row), 'strong'),
        },
        {
          id: 'topic',
          title: text('page.control.bus.topic'),
          width: 'minmax(120px, 1fr)',
          by: topicOf,
          draw: (cell, row) => plain(cell, topicOf(row)),
        },
        {
          id: 'app',
          title: text('page.control.bus.for'),
          width: 'minmax(110px, 0.7fr)',
          from: 520,
          by: (row) => row.app,
          draw: (cell, row) => plain(cell, row.app),
        },
        {
          id: 'attempts',
          title: text('page.control.bus.attempts'),
          width: '90px',
          isEnd: true,
          from: 640,
          by: (row) => row.attempts,
          draw: (cell, row) => plain(cell, number(row.attempts)),
        },
        {
          id: 'died',
          title: text('page.control.bus.died'),
          width: '130px',
          isEnd: true,
          by: (row) => row.diedAt,
          draw: (cell, row) => plain(cell, time(row.diedAt), 'quiet'),
        },
      ],
    });
  }

  private openLetter(letter: DeadLetter): void {
    this.inspector.close();
    this.letters.select(String(letter.number));
    const redrive = h(
      'button',
      { type: 'button', class: 'primary' },
      text('page.control.bus.redrive'),
    );
    redrive.addEventListener('click', () => void this.letterAct('bus.redrive', [letter]));
    const purge = h('button', { type: 'button', class: 'danger' }, text('page.control.bus.purge'));
    purge.addEventListener('click', () => void this.letterAct('bus.purge', [letter]));
    const message = letter.message as Envelope;
    this.drawer.open(
      reasonOf(letter),
      text('page.control.bus.letter-note', { app: letter.app, attempts: letter.attempts }),
      this.context.acts ? [redrive, purge] : [],
      h('p', { class: 'hint' }, textOr(`page.control.bus.why.${letter.reason}`, '')),
      messageOf(this.context, message),
    );
  }

  private queueGrid(): Grid<ClientInfo> {
    return new Grid<ClientInfo>({
      label: text('page.control.bus.view.queues'),
      key: (row) => `${row.app} ${row.client}`,
      empty: text('page.control.bus.no-clients'),
      onOpen: (row) => this.openClient(row),
      columns: [
        {
          id: 'app',
          title: text('page.control.bus.client'),
          width: 'minmax(150px, 1fr)',
          by: (row) => `${row.app} ${row.client}`,
          draw: (cell, row) => plain(cell, `${row.app} · ${row.client}`, 'strong'),
        },
        {
          id: 'state',
          title: text('page.control.bus.state'),
          width: '150px',
          by: (row) => stateOf(row),
          make: (cell) => add(cell, h('span', { class: 'pill' })),
          draw: (cell, row) =>
            pill(cell, stateOf(row), row.slow ? 'caution' : row.online ? 'good' : 'quiet'),
        },
        {
          id: 'queued',
          title: text('page.control.bus.queued'),
          width: '90px',
          isEnd: true,
          by: (row) => row.queued,
          draw: (cell, row) =>
            plain(cell, number(row.queued), row.queued === 0 ? 'quiet' : 'strong'),
        },
        {
          id: 'bytes',
          title: text('page.control.bus.size'),
          width: '90px',
          isEnd: true,
          from: 560,
          by: (row) => row.queuedBytes,
          draw: (cell, row) => plain(cell, bytes(row.queuedBytes), 'quiet'),
        },
        {
          id: 'oldest',
          title: text('page.control.bus.oldest'),
          width: '110px',
          isEnd: true,
          by: (row) => row.oldest ?? 0,
          draw: (cell, row) =>
            plain(cell, row.queued > 0 ? duration(row.oldest ?? 0) : '', 'quiet'),
        },
        {
          id: 'unacknowledged',
          title: text('page.control.bus.unacknowledged'),
          width: '130px',
          isEnd: true,
          from: 680,
          by: (row) => row.unacknowledged,
          draw: (cell, row) =>
            plain(cell, number(row.unacknowledged), row.unacknowledged === 0 ? 'quiet' : ''),
        },
      ],
    });
  }

  private openClient(client: ClientInfo): void {
    this.inspector.close();
    this.queues.select(`${client.app} ${client.client}`);
    this.drawer.open(
      client.app,
      client.client,
      [],
      facts([
        [text('page.control.bus.state'), stateOf(client)],
        [
          text('page.control.bus.queued'),
          `${number(client.queued)} (${bytes(client.queuedBytes)})`,
        ],
        [text('page.control.bus.unacknowledged'), number(client.unacknowledged)],
        ...((client.away ?? 0) > 0
          ? [[text('page.control.bus.away'), duration(client.away ?? 0)] as const]
          : []),
      ]),
      h('h3', { class: 'section' }, text('page.control.bus.subscriptions')),
      h(
        'ul',
        { class: 'plain-list mono' },
        ...client.subscriptions.map((pattern) => h('li', {}, pattern)),
      ),
    );
  }
}

/** One topic in the drawer: its figures, both sides, and its messages as they come. */
class TopicInspector {
  topic = '';
  private readonly figures = h('div');
  private readonly writers = h('ul', { class: 'shares' });
  private readonly readers = h('ul', { class: 'chips' });
  private readonly list = h('ol', { class: 'messages' });
  private readonly sample = h('span', { class: 'sample', role: 'status' });
  private readonly live = h('input', { type: 'checkbox', checked: true });
  private readonly nothing = h('p', { class: 'none' });
  private readonly overview: HTMLElement;
  private messages: Envelope[] = [];
  private seen = 0;
  private isDetail = false;

  constructor(
    private readonly context: Context,
    private readonly drawer: Drawer,
  ) {
    this.overview = h(
      'div',
      { class: 'inspector' },
      this.figures,
      h('h3', { class: 'section' }, text('page.control.bus.writers')),
      this.writers,
      h('h3', { class: 'section' }, text('page.control.bus.readers')),
      this.readers,
      h(
        'h3',
        { class: 'section tail-head' },
        text('page.control.bus.messages'),
        this.sample,
        h('label', { class: 'switch' }, this.live, h('span', {}, text('page.control.bus.live'))),
      ),
      this.nothing,
      this.list,
    );
  }

  open(topic: string): void {
    this.topic = topic;
    this.messages = [];
    this.seen = 0;
    this.live.checked = true;
    for (const part of [this.figures, this.writers, this.readers, this.list, this.sample]) {
      part.textContent = '';
    }
    setText(this.nothing, '');
    this.showOverview();
  }

  /** From a message back to its topic; whether it was at one. */
  back(): boolean {
    if (!this.isDetail) return false;
    this.showOverview();
    return true;
  }

  close(): void {
    this.topic = '';
    this.isDetail = false;
  }

  async look(): Promise<void> {
    const { topic } = this;
    if (!this.live.checked && this.seen > 0) return;
    try {
      const found = await this.context.api.call('control.topic', {
        topic,
        limit: TAIL_AT_ONCE,
        ...(this.seen > 0 ? { after: this.seen } : {}),
      });
      if (topic !== this.topic) return;
      const came = found.messages as Envelope[];
      const isFirst = this.seen === 0;
      this.seen = found.seq;
      this.messages = [...this.messages, ...came].slice(-TAIL_KEPT);
      this.draw(found.traffic, isFirst ? 0 : found.skipped, came.length);
    } catch (error) {
      setText(this.nothing, error instanceof Error ? error.message : '');
      this.nothing.hidden = false;
    }
  }

  private showOverview(): void {
    this.isDetail = false;
    const traces = h('button', { type: 'button' }, icon('traces'), text('page.control.traces'));
    const { topic } = this;
    traces.addEventListener('click', () => this.context.show('traces', `topic:${topic}`));
    this.drawer.open(topic, '', [traces], this.overview);
  }

  private draw(traffic: TopicTraffic, skipped: number, came: number): void {
    fill(
      this.figures,
      facts([
        [text('page.control.bus.rate'), rate(traffic.rate)],
        [text('page.control.bus.count'), number(traffic.messages)],
        [text('page.control.bus.last'), time(traffic.last)],
        [
          text('page.control.bus.kept'),
          text(
            traffic.sensitive
              ? 'page.control.bus.kept-sensitive'
              : traffic.persisted
                ? 'page.control.bus.kept-disk'
                : 'page.control.bus.kept-memory',
          ),
        ],
      ]),
    );
    keyed(
      this.writers,
      traffic.writers,
      ({ app, client }) => `${app} ${client}`,
      ({ app, client }) =>
        h(
          'li',
          { class: 'share' },
          h('i', { class: `fill ${colourOf(app)}` }),
          h(
            'span',
            { class: 'bar-name', dir: 'auto', title: `${app} · ${client}` },
            `${app} · ${client}`,
          ),
          h('span', { class: 'bar-value' }),
        ),
      (element, { share }) => {
        const bar = element.querySelector<HTMLElement>('.fill');
        const value = element.querySelector('.bar-value');
        if (bar) bar.style.transform = `scaleX(${share.toFixed(3)})`;
        if (value) setText(value, percent(Math.round(share * 100)));
      },
    );
    keyed(
      this.readers,
      traffic.readers,
      ({ app, client }) => `${app} ${client}`,
      ({ app, client }) =>
        h(
          'li',
          { class: 'chip' },
          h('i', { class: `swatch ${colourOf(app)}` }),
          `${app} · ${client}`,
        ),
      () => undefined,
    );
    setText(
      this.sample,
      skipped > 0 ? text('page.control.bus.sampled', { shown: came, count: skipped + came }) : '',
    );
    this.nothing.hidden = this.messages.length > 0;
    setText(
      this.nothing,
      text(traffic.sensitive ? 'page.control.bus.hidden' : 'page.control.bus.no-messages'),
    );
    placed(
      this.list,
      [...this.messages].reverse(),
      ({ id }) => id,
      (message) => this.rowOf(message),
      () => undefined,
    );
  }

  private rowOf(message: Envelope): HTMLElement {
    const row = h(
      'button',
      { type: 'button', class: 'message' },
      h('span', { class: 'quiet mono' }, fineTime(message.timestamp)),
      h('span', { class: 'message-sender' }, message.sender.app),
      h('span', { class: 'message-payload mono' }, briefly(message.payload)),
    );
    row.addEventListener('click', () => {
      this.isDetail = true;
      const back = h('button', { type: 'button' }, text('page.control.back'));
      back.addEventListener('click', () => this.back());
      this.drawer.open(
        this.topic,
        text('page.control.bus.seq', { seq: message.seq }),
        [back],
        messageOf(this.context, message),
      );
      back.focus();
    });
    return h('li', {}, row);
  }
}

/** A message in full: whose, when, its headers, its payload, and the way to its trace. */
function messageOf(context: Context, message: Envelope): HTMLElement {
  const traceparent = message._meta?.traceparent ?? '';
  const traceId = traceparent.split('-')[1] ?? '';
  const find = (label: string, what: string): HTMLElement => {
    const button = h('button', { type: 'button', class: 'small' }, text(label));
    button.addEventListener('click', () => context.show('traces', what));
    return button;
  };
  const more: [string, string][] = [
    ['ttl', message.ttl === undefined ? '' : duration(message.ttl)],
    ['priority', message.priority === undefined ? '' : String(message.priority)],
    ['replyTo', message.replyTo ?? ''],
    ['origin', message.origin ?? ''],
    ['redelivery', message.redelivery === undefined ? '' : String(message.redelivery)],
  ];
  const headers = Object.entries(message.headers ?? {});
  return h(
    'div',
    { class: 'message-detail' },
    facts([
      [text('page.control.bus.topic'), message.topic],
      [text('page.control.bus.sender'), `${message.sender.app} · ${message.sender.client}`],
      [text('page.control.bus.sent'), fineTime(message.timestamp)],
      ['id', message.id],
      ['correlationId', message.correlationId],
      ...more.filter(([, value]) => value !== ''),
    ]),
    h(
      'div',
      { class: 'drawer-actions' },
      find(
        'page.control.bus.trace',
        traceId === '' ? `correlation:${message.correlationId}` : `id:${traceId}`,
      ),
    ),
    headers.length > 0 && h('h3', { class: 'section' }, text('page.control.bus.headers')),
    headers.length > 0 && facts(headers),
    h('h3', { class: 'section' }, text('page.control.bus.payload')),
    jsonOf(message.payload),
  );
}

/** The form for a test message. */
function publisher(context: Context, onSent: (topic: string) => void): HTMLElement {
  const topic = h('input', {
    type: 'text',
    required: true,
    maxlength: '256',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'prices.TEST',
  });
  const payload = h('textarea', { rows: '9', spellcheck: 'false', class: 'mono code-field' });
  payload.value = '{\n  "test": true\n}';
  const headers = h('textarea', {
    rows: '3',
    spellcheck: 'false',
    class: 'mono code-field',
    placeholder: 'name: value',
  });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const send = h(
    'button',
    { type: 'submit', class: 'primary' },
    icon('send'),
    text('page.control.bus.send'),
  );
  const form = h(
    'form',
    { class: 'publisher' },
    h('h2', {}, text('page.control.bus.publish')),
    h('p', { class: 'quiet' }, text('page.control.bus.publish-text')),
    h('label', { class: 'field' }, h('span', {}, text('page.control.bus.topic')), topic),
    h('label', { class: 'field' }, h('span', {}, text('page.control.bus.payload-json')), payload),
    h('label', { class: 'field' }, h('span', {}, text('page.control.bus.headers-lines')), headers),
    problem,
    h('div', { class: 'buttons' }, send),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    let value: unknown;
    try {
      value = JSON.parse(payload.value);
      setText(problem, '');
    } catch (error) {
      setText(
        problem,
        text('page.control.bus.bad-json', { reason: error instanceof Error ? error.message : '' }),
      );
      payload.focus();
      return;
    }
    const named = headersOf(headers.value);
    const params = () => ({
      topic: topic.value,
      payload: value,
      ...(Object.keys(named).length > 0 ? { headers: named } : {}),
    });
    void context
      .act('control.publish', params, text('page.control.bus.sent-to', { topic: topic.value }))
      .then((isDone) => {
        if (isDone) onSent(topic.value);
      });
  });
  return h('div', { class: 'card view padded' }, form);
}

function headersOf(lines: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return found;
}

function topicOf(letter: DeadLetter): string {
  return (letter.message as Partial<Envelope>).topic ?? '';
}

function reasonOf(letter: DeadLetter): string {
  return textOr(`page.control.bus.reason.${letter.reason}`, letter.reason);
}

function stateOf(client: ClientInfo): string {
  if (client.slow) return text('page.control.bus.slow');
  return text(client.online ? 'page.control.bus.online' : 'page.control.bus.offline');
}

export function plain(cell: HTMLElement, words: string, kind = ''): void {
  setText(cell, words);
  cell.title = words.length > 18 ? words : '';
  const isEnd = cell.classList.contains('end');
  cell.className = `${isEnd ? 'end ' : ''}${kind}`;
}

export function pill(cell: HTMLElement, words: string, tone: string): void {
  const element = cell.firstElementChild;
  if (!element) return;
  setText(element, words);
  element.className = `pill ${tone}`;
}

export function facts(rows: readonly (readonly [string, string])[]): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    ...rows.map(([label, value]) =>
      h('div', {}, h('dt', {}, label), h('dd', { title: value }, value)),
    ),
  );
}
