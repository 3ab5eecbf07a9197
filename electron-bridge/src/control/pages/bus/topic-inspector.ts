import type { TopicTraffic } from '../../../generated/protocol';
import { colourOf } from '../../charts/colours';
import { fill, h, keyed, placed, setText } from '../../dom';
import { words } from '../../errors';
import { fineTime, number, percent, rate, time } from '../../format';
import { button } from '../../widgets/button';
import type { Drawer } from '../../widgets/drawer';
import { facts } from '../../widgets/facts';
import { briefly } from '../../widgets/json-view';
import { text } from '../../../renderer/language';
import type { Context } from '../page';
import { messageDetail, type Message } from './message-detail';

const TAIL_KEPT = 120;
const TAIL_AT_ONCE = 40;

/** One topic in the drawer: its figures, both sides, and its messages as they come. */
export class TopicInspector {
  topic = '';
  private readonly figures = h('div');
  private readonly writers = h('ul', { class: 'shares' });
  private readonly readers = h('ul', { class: 'chips' });
  private readonly nobody = h('p', { class: 'quiet' }, text('page.control.bus.nobody'));
  private readonly list = h('ol', { class: 'messages' });
  private readonly sample = h('span', { class: 'sample', role: 'status' });
  private readonly live = h('input', { type: 'checkbox', checked: true });
  private readonly nothing = h('p', { class: 'none' });
  private readonly overview: HTMLElement;
  private messages: Message[] = [];
  private seen = 0;
  private isDetail = false;
  private isOpen = false;

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
      this.nobody,
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

  /** The topic is shown once it was looked at. */
  open(topic: string): void {
    this.topic = topic;
    this.messages = [];
    this.seen = 0;
    this.live.checked = true;
    for (const part of [this.figures, this.writers, this.readers, this.list, this.sample]) {
      part.textContent = '';
    }
    setText(this.nothing, '');
    this.isDetail = false;
    this.isOpen = false;
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
      const came = found.messages as Message[];
      const isFirst = this.seen === 0;
      this.seen = found.seq;
      this.messages = [...this.messages, ...came].slice(-TAIL_KEPT);
      this.draw(found.traffic, isFirst ? 0 : found.skipped, came.length);
    } catch (error) {
      if (topic !== this.topic) return;
      setText(this.nothing, words(error));
      this.nothing.hidden = false;
    }
    if (!this.isOpen) this.showOverview();
  }

  private showOverview(): void {
    this.isDetail = false;
    this.isOpen = true;
    const { topic } = this;
    const traces = button(
      text('page.control.traces'),
      () => this.context.show('traces', `topic:${topic}`),
      { sign: 'traces' },
    );
    this.drawer.open(topic, text('page.control.bus.topic'), [traces], this.overview);
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
    this.nobody.hidden = traffic.readers.length > 0;
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

  private rowOf(message: Message): HTMLElement {
    const row = h(
      'button',
      { type: 'button', class: 'message' },
      h('span', { class: 'quiet mono' }, fineTime(message.timestamp)),
      h('span', { class: 'message-sender' }, message.sender.app),
      h('span', { class: 'message-payload mono' }, briefly(message.payload)),
    );
    row.addEventListener('click', () => {
      this.isDetail = true;
      const back = button(text('page.control.back'), () => this.back());
      this.drawer.open(
        this.topic,
        text('page.control.bus.seq', { seq: message.seq }),
        [back],
        messageDetail(this.context, message),
      );
      back.focus();
    });
    return h('li', {}, row);
  }
}
