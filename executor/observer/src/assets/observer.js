'use strict';
// Pages can be read without this. It shows anew what changes, and what comes to a file as it comes.
(() => {
  // Characters of a followed file that are kept.
  const KEPT = 1000000;

  function follow(pre) {
    const bar = document.getElementById('tail');
    const button = document.getElementById('follow');
    const said = document.getElementById('said');
    const [path, query] = pre.dataset.follow.split('?');
    const asked = new URLSearchParams(query);
    let at = [asked.get('inode'), asked.get('offset')];
    let following = true;
    const toEnd = () => { pre.scrollTop = pre.scrollHeight; };
    const set = (on) => {
      following = on;
      button.setAttribute('aria-pressed', String(on));
      if (on) toEnd();
    };
    const append = (text) => {
      pre.append(text);
      if (!following) return;
      if (pre.textContent.length > KEPT) {
        const kept = pre.textContent.slice(-KEPT / 2);
        pre.textContent = kept.slice(kept.indexOf('\n') + 1);
      }
      toEnd();
    };
    bar.hidden = false;
    pre.classList.add('scrolls');
    toEnd();
    button.addEventListener('click', () => set(!following));
    document.getElementById('end').addEventListener('click', () => set(true));
    pre.addEventListener('scroll', () => {
      const isAtEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 8;
      if (isAtEnd !== following) set(isAtEnd);
    });
    function connect() {
      const from = at[0] === '0' ? { offset: 0 } : { inode: at[0], offset: at[1] };
      const source = new EventSource(`${path}?${new URLSearchParams(from)}`);
      const on = (name, act) => source.addEventListener(name, (event) => {
        if (event.lastEventId) at = event.lastEventId.split('-');
        act(JSON.parse(event.data));
      });
      source.onopen = () => { said.textContent = 'Connected'; };
      source.onerror = () => {
        said.textContent = 'Connection lost, trying again';
        if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
      };
      on('text', (data) => append(data.text));
      on('restart', (data) => {
        if (data.why === 'truncated') pre.textContent = '';
        append(`\n--- the file was ${data.why} ---\n`);
      });
      on('end', () => { source.close(); said.textContent = 'The task has ended'; });
      on('problem', (data) => { source.close(); said.textContent = `Cannot be read: ${data.error}`; });
    }
    connect();
  }

  function refresh(live) {
    const isInUse = () => document.hidden || live.contains(document.activeElement) ||
      (getSelection() && !getSelection().isCollapsed);
    const timer = setInterval(async () => {
      if (isInUse()) return;
      try {
        const answer = await fetch(location.href, { signal: AbortSignal.timeout(8000) });
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const anew = page.getElementById('live');
        if (!anew || isInUse()) return;
        live.replaceChildren(...anew.childNodes);
        if (!anew.dataset.refresh) clearInterval(timer);
      } catch {
        // The observer is away; what is shown stays until it is back.
      }
    }, Number(live.dataset.refresh) * 1000);
  }

  const pre = document.querySelector('pre[data-follow]');
  if (pre) follow(pre);
  const live = document.querySelector('[data-refresh]');
  if (live) refresh(live);
})();
