import { CallError } from '../../backend/api';
import { Poll } from '../../backend/poll';
import { h, setText } from '../../dom';
import { Drawer } from '../../widgets/drawer';
import { SearchField } from '../../widgets/search-field';
import { Tabs } from '../../widgets/tabs';
import { text } from '../../../renderer/language';
import type { View } from '../bus/view';
import type { Context, Page } from '../page';
import { PageFrame } from '../page-frame';
import { ChannelsView } from './channels-view';
import { ContextsView } from './contexts-view';
import { DeliveriesView } from './deliveries-view';
import { IntentsView } from './intents-view';

const LOOK_MS = 1000;
const VIEWS = ['channels', 'contexts', 'intents', 'deliveries'] as const;
type ViewName = (typeof VIEWS)[number];

/** FDC3: who is on which channel, what was shared last, who takes which intent, and who got what. */
export class Fdc3 implements Page {
  private readonly frame = new PageFrame();
  readonly element = this.frame.element;
  private readonly field = new SearchField(text('page.control.fdc3.search'), () => this.poll.now());
  private readonly about = h('span', { class: 'quiet about' });
  private readonly drawer = new Drawer(() => this.unmark());
  private readonly views: Record<ViewName, View>;
  private readonly tabs: Tabs;
  private readonly poll = new Poll(LOOK_MS, () => this.look());

  constructor(context: Context) {
    const openDetails: Drawer['open'] = (...details) => {
      this.unmark();
      this.drawer.open(...details);
    };
    this.views = {
      channels: new ChannelsView(context, openDetails),
      contexts: new ContextsView(context, openDetails),
      intents: new IntentsView(context, openDetails),
      deliveries: new DeliveriesView(context, openDetails),
    };
    this.tabs = new Tabs(
      VIEWS.map((id) => ({
        id,
        label: text(`page.control.fdc3.view.${id}`),
        make: () => this.views[id].element,
      })),
      text('page.control.fdc3.views'),
      () => this.viewShown(),
    );
    this.tabs.show('channels');
    this.poll.start();
  }

  /** The name of a view. */
  show(what: string): void {
    if (what !== '') this.tabs.show(what);
    this.poll.now();
  }

  search(): void {
    this.field.focus();
  }

  escape(): boolean {
    if (this.field.clear()) {
      this.poll.now();
      return true;
    }
    return this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    for (const view of VIEWS) this.views[view].close();
  }

  private viewShown(): void {
    this.drawer.close();
    this.poll.now();
  }

  private async look(): Promise<void> {
    const shown = this.tabs.shown as ViewName;
    try {
      const about = await this.views[shown].look(this.field.words);
      if (shown === this.tabs.shown) setText(this.about, about);
    } catch (error) {
      // Anything else the page says above: the backend is away, or may not be asked.
      const isOff = error instanceof CallError && error.category === 'unavailable';
      if (isOff) setText(this.about, text('page.control.fdc3.off'));
    }
    this.frame.fill([this.tabs.bar, this.field.element, this.about], this.tabs.host, this.drawer);
  }

  private unmark(): void {
    for (const view of VIEWS) this.views[view].select('');
  }
}
