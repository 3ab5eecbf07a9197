import { setText, h } from '../../dom';
import { Poll } from '../../backend/poll';
import { Drawer } from '../../widgets/drawer';
import { SearchField } from '../../widgets/search-field';
import { Tabs } from '../../widgets/tabs';
import { text } from '../../../renderer/language';
import type { Context, Page } from '../page';
import { PageFrame } from '../page-frame';
import { ClientsView } from './clients-view';
import { LettersView } from './letters-view';
import { LinksView } from './links-view';
import { MapView } from './map-view';
import { PublishView } from './publish-view';
import { TopicInspector } from './topic-inspector';
import { TopicsView } from './topics-view';
import type { View } from './view';

const LOOK_MS = 1000;
/** Beginnings of what is looked at that name a view, for no topic begins so. */
const VIEWS = ['map', 'topics', 'letters', 'queues', 'links', 'publish'] as const;
/** The views in which a topic stands out; from any other one goes to the map. */
const TOPIC_VIEWS: readonly string[] = ['map', 'topics'];
type ViewName = (typeof VIEWS)[number];

/** The traffic: who talks to whom, what was said, what was not delivered, and what waits. */
export class Bus implements Page {
  private readonly frame = new PageFrame();
  readonly element = this.frame.element;
  private readonly field = new SearchField(text('page.control.bus.search'), () => this.poll.now());
  private readonly about = h('span', { class: 'quiet about' });
  private readonly drawer = new Drawer(() => this.select(''));
  private readonly inspector: TopicInspector;
  private readonly views: Record<ViewName, View>;
  private readonly tabs: Tabs;
  private readonly poll = new Poll(LOOK_MS, () => this.look());

  constructor(context: Context) {
    this.inspector = new TopicInspector(context, this.drawer);
    const look = (): void => this.poll.now();
    const openDetails: Drawer['open'] = (...details) => {
      this.select('');
      this.drawer.open(...details);
    };
    const openTopic = (topic: string): void => this.openTopic(topic);
    this.views = {
      map: new MapView(context, openTopic),
      topics: new TopicsView(context, openTopic),
      letters: new LettersView(context, this.drawer, openDetails, look),
      queues: new ClientsView(context, openDetails),
      links: new LinksView(context, this.drawer, openDetails, look),
      publish: new PublishView(context, openTopic),
    };
    this.tabs = new Tabs(
      VIEWS.map((id) => ({
        id,
        label: text(`page.control.bus.view.${id}`),
        make: () => this.views[id].element,
      })),
      text('page.control.bus.views'),
      () => this.viewShown(),
    );
    this.tabs.show('map');
    this.poll.start();
  }

  /** A topic, or the name of a view behind a `#`. */
  show(what: string): void {
    if (what.startsWith('#')) this.tabs.show(what.slice(1));
    else if (what !== '') {
      if (!TOPIC_VIEWS.includes(this.tabs.shown)) this.tabs.show('map');
      this.openTopic(what);
    }
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
    return this.inspector.back() || this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    for (const view of VIEWS) this.views[view].close();
  }

  private viewShown(): void {
    const isPublishing = this.tabs.shown === 'publish';
    this.field.element.hidden = isPublishing;
    if (isPublishing) {
      this.drawer.close();
      this.focusForm();
    }
    this.poll.now();
  }

  private focusForm(): void {
    this.tabs.host.querySelector<HTMLElement>('.publisher input')?.focus();
  }

  private async look(): Promise<void> {
    const shown = this.tabs.shown as ViewName;
    try {
      if (this.inspector.topic !== '') await this.inspector.look();
      const about = await this.views[shown].look(this.field.words);
      if (shown === this.tabs.shown) setText(this.about, about);
    } catch {
      // The page says above that the backend is away, or may not be asked.
    }
    const bar = [this.tabs.bar, this.field.element, this.about];
    if (this.frame.fill(bar, this.tabs.host, this.drawer)) this.focusForm();
  }

  private openTopic(topic: string): void {
    this.select(topic);
    this.inspector.open(topic);
    this.poll.now();
  }

  private select(topic: string): void {
    this.inspector.close();
    for (const view of VIEWS) this.views[view].select(topic);
  }
}
