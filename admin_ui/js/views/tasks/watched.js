import { useEffect, useRef, useState } from '../../../vendor/preact/hooks.mjs';
import { isOpen } from './told.js';

/** Of `tasks` those that are open, and those that ended while they were looked at, until `leave(id)`. onEnded: called when one has. */
export function useWatched(tasks, onEnded = () => {}) {
  const [ids, setIds] = useState([]);
  const openBefore = useRef([]);
  const open = tasks.filter(isOpen).map(({ id }) => id);
  useEffect(() => {
    if (openBefore.current.some((id) => !open.includes(id))) onEnded();
    openBefore.current = open;
    setIds((before) => [...new Set([...before, ...open])]);
  }, [open.join()]);
  return {
    watched: tasks.filter((task) => isOpen(task) || ids.includes(task.id)),
    watch: (id) => setIds((before) => [...before, id]),
    leave: (id) => setIds((before) => before.filter((other) => other !== id)),
  };
}
