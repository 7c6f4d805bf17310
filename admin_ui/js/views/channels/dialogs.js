import { useState } from '../../../vendor/preact/hooks.mjs';
import { useAction } from '../../action.js';
import { copyChannel, deleteChannel } from '../../api.js';
import { Dialog } from '../../components/dialog.js';
import { Input, Select } from '../../components/input.js';
import { html } from '../../html.js';
import { t } from '../../i18n.js';
import { problemText } from '../../problem.js';

export function CopyDialog({ channel, onClose, onChanged }) {
  const [name, setName] = useState(t('copyOf', { name: channel.name }).slice(0, 100));
  const [keys, setKeys] = useState('none');
  const { error, busy, start } = useAction(
    () => copyChannel(channel.id, name.trim(), keys),
    () => onChanged(t('added', { prefix: name.trim() })),
  );
  const wrong = error?.field === 'name' && problemText(error);
  return html`
    <${Dialog} title=${t('copyNamed', { name: channel.name })} action=${t('copyChannel')} busy=${busy} problem=${error && !wrong && problemText(error)}
      onSubmit=${start} onClose=${onClose}>
      <${Input} name="name" label=${t('name')} text=${name} wrong=${wrong} autofocus onText=${setName} />
      <${Select} name="keys" label=${t('keys')} value=${keys} onValue=${setKeys} choices=${['none', 'active', 'all'].map((which) => [which, t(`copyKeys_${which}`)])} />
    <//>`;
}

export function DeleteDialog({ channel, onClose, onChanged }) {
  const { error, busy, start } = useAction(
    // 404: somebody else deleted it meanwhile, which is what was wanted
    () => deleteChannel(channel.id).catch((failure) => { if (failure.status !== 404) throw failure; }),
    () => onChanged(t('channelDeleted', { name: channel.name })),
  );
  return html`
    <${Dialog} title=${t('deleteChannel', { name: channel.name })} action=${t('delete')} danger busy=${busy} problem=${error && problemText(error)}
      onSubmit=${start} onClose=${onClose}>
      <p>${t('deleteChannelText', { n: channel.keys.total })}</p>
    <//>`;
}
