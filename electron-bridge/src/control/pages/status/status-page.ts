import type { ComponentHealth, MetricSample } from '../../../generated/protocol';
import { Poll } from '../../backend/poll';
import { add, fill, h } from '../../dom';
import { parts } from '../../errors';
import { NOTHING, number } from '../../format';
import { said } from '../../phrases';
import { text, textOr } from '../../../renderer/language';
import type { Context, Page } from '../page';

const LOOK_MS = 3000;
const TONES: Record<ComponentHealth['status'], string> = {
  ok: 'good',
  degraded: 'caution',
  failed: 'bad',
  off: 'quiet',
};

/** A card of a page about one component. */
export function section(title: string, note: string, ...body: (Node | false)[]): HTMLElement {
  return h(
    'section',
    { class: 'card block' },
    h('h2', { class: 'block-title' }, title),
    note !== '' && h('p', { class: 'quiet block-note' }, note),
    ...body,
  );
}

/** A page of cards about one component, with how it is at its head. */
export abstract class StatusPage implements Page {
  /** It scrolls, so the keyboard has to reach it. */
  readonly element = h('div', { class: 'status-page', tabindex: '0' });
  protected readonly cards = h('div', { class: 'blocks' });
  private readonly head = h('div', { class: 'status-head' });
  private readonly poll = new Poll(LOOK_MS, () => this.refresh());
  private drawn = '';

  constructor(
    protected readonly context: Context,
    private readonly component: string,
    private readonly intro: string,
  ) {
    add(this.element, this.head, this.cards);
    this.poll.start();
  }

  show(_what: string): void {
    this.again();
  }

  close(): void {
    this.poll.stop();
  }

  /** The cards, made anew from what is asked now. */
  protected abstract draw(): Promise<HTMLElement[]>;

  protected actions(): HTMLElement[] {
    return [];
  }

  protected again(): void {
    this.poll.now();
  }

  private async refresh(): Promise<void> {
    try {
      const { components } = await this.context.api.call('control.overview', {});
      const health = components[this.component];
      const cards = await this.draw().catch((error: unknown) => [failure(error)]);
      const state = `${JSON.stringify(health)} ${cards.map((card) => card.outerHTML).join('')}`;
      // An element that is drawn anew loses focus and selection, so none is that says the same.
      if (state === this.drawn) return;
      this.drawn = state;
      const actions = this.context.acts ? this.actions() : [];
      fill(
        this.head,
        h(
          'div',
          {},
          h(
            'span',
            { class: `pill ${health ? TONES[health.status] : 'quiet'}` },
            health ? textOr(`page.control.status.${health.status}`, health.status) : NOTHING,
          ),
          h('span', { class: 'quiet' }, said(health?.detail, health?.phrases)),
          h('p', { class: 'quiet' }, text(this.intro)),
        ),
        h('div', { class: 'buttons' }, ...actions),
      );
      fill(this.cards, ...cards);
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
  }

  protected async metric(name: string): Promise<MetricSample[]> {
    const { metrics } = await this.context.api.call('metrics.get', {});
    return metrics?.find((family) => family.name === name)?.samples ?? [];
  }

  protected button(label: string, style: string, act: () => void): HTMLElement {
    const button = h('button', { type: 'button', class: style }, text(label));
    button.addEventListener('click', act);
    return button;
  }
}

/** The card in place of those that can't be had, such as of what is switched off. */
function failure(error: unknown): HTMLElement {
  return section(...parts(error));
}

export function numberOf(value: unknown): string {
  return typeof value === 'number' ? number(value) : NOTHING;
}
