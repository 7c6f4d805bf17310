// The channels of the gateway: #/channels lists them, #/channels/7/keys shows the keys of one, #/channels/explain says why
// a request goes where it goes.
import { html } from '../html.js';
import { useRoute } from '../route.js';
import { Explain } from './channels/explain.js';
import { ChannelList } from './channels/list.js';
import { Keys } from './keys.js';

export function Channels() {
  const { rest: [first, second] } = useRoute();
  if (first === 'explain') return html`<${Explain} />`;
  if (second === 'keys') return html`<${Keys} key=${first} id=${first} />`;
  return html`<${ChannelList} />`;
}
