/* Puts it together: what the agent says, what the keys do, what is on the screen.

   where     watch ──OK, ▲, 返回; ◀ 回看──► menu (首页 节目单 回看 点播 搜索 站务 设置) ──OK on a card──► chosen ──返回──► menu
               ▲                             │                                              │ end
               └──返回, 全屏收看───────────────┘                          menu ◄──any key── faces
               study: 集中学习 from its first second until it is closed, whatever else is on; a restart comes back to it.
             The channel's line goes on behind the menu, with sound and picture. Digits play a number from anywhere.
*/
(function () {
  'use strict';
  var Views = TV.Views, Overlays = TV.Overlays, Evening = TV.Evening, Desk = TV.Desk, Screen = TV.Screen, Keys = TV.Keys, Sound = TV.Sound, Prompt = TV.Prompt, Course = TV.Courseware, byId = Views.byId, setText = Views.setText, show = Views.show;
  var POLL_MS = 5000, BAR_MS = 6000, TOAST_MS = 4000, RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  var where = 'watch';              /* watch, menu, chosen, faces, study */
  var data = { state: null, library: null, listing: null, replay: null, day: 0, big: false };
  var base = null;                  /* {now_ms, perf}: the agent's time when it was asked */
  var barUntil = 0, toastUntil = 0, retries = 0, retryAt = 0, pollAt = 0, polling = false, drawn = '', rate = 0, urgent = false, shownBefore = false;
  var query = window.location.search, kiosk = /[?&]kiosk=1\b/.test(query);

  /* --- time and talking to the agent --- */
  TV.perf = function () { return window.performance.now(); };
  TV.now = function () { return base ? base.now_ms + TV.perf() - base.perf : null; };

  function ask(method, path, body, done) {
    var request = new XMLHttpRequest(), sent = TV.perf();
    request.open(method, path);
    request.timeout = 10000;
    request.onload = function () {
      var answer = null;
      try { answer = JSON.parse(request.responseText); } catch (error) { answer = null; }
      done(answer ? request.status : 0, answer, sent);
    };
    request.onerror = request.ontimeout = function () { done(0, null, sent); };
    if (body) { request.setRequestHeader('Content-Type', 'application/json'); }
    request.send(body ? JSON.stringify(body) : null);
  }
  TV.post = function (path, body, done) { ask('POST', path, body, done); };
  TV.get = function (path, done) { ask('GET', path, null, done); };

  function poll() {
    if (polling) { return; }
    polling = true;
    pollAt = TV.perf() + POLL_MS;
    ask('GET', '/api/state', null, function (status, state, sent) {
      polling = false;
      if (status !== 200) { if (!Screen.shown()) { data.state = null; refresh(); } return; }
      var news = !data.state || data.state.documents !== state.documents;
      base = state.now_ms === null ? null : { now_ms: state.now_ms, perf: (sent + TV.perf()) / 2 };
      data.state = state;
      TV.Looked.hear(state.looks);
      if (news || !data.library) { fetchLibrary(); }
      refresh();
    });
  }
  function fetchLibrary() {
    ask('GET', '/api/library', null, function (status, answer) {
      if (status === 200) { data.library = answer; redraw(); }
    });
  }
  function fetchListing(then) {
    ask('GET', '/api/listing?day=' + data.day, null, function (status, answer) {
      data.listing = status === 200 ? answer : null;
      then();
    });
  }

  /* --- the channel's line --- */
  function refresh() {
    var item = data.state && data.state.item, emergency = !!item && item.source === 'emergency';
    if (emergency && !urgent) { interrupt(); }
    urgent = emergency;
    if (!urgent && where !== 'study' && Evening.session(data.state)) { enterStudy(); }
    if (where === 'study') { studyOn(); }
    if (where === 'watch' || where === 'menu') { follow(); }
    redraw();
    paint();
  }

  /* An emergency comes before whatever somebody was doing; afterwards a key opens the menu as always. */
  function interrupt() {
    if (where === 'chosen' || where === 'faces' || where === 'study') { Screen.clear(); }
    where = 'watch';
    dropLayers();
    Prompt.drop();
    Overlays.rate(null);
    Overlays.dropNumber();
    retryAt = 0;
    toast(TV.say('toast_emergency'));
  }

  /* Put on what the line shows at this moment. */
  function follow() {
    var state = data.state, wanted = state && state.play, now = TV.now();
    if (wanted && now !== null && now >= wanted.ends_ms) { wanted = state.then; }
    if (!wanted || now === null || now >= wanted.ends_ms || isOver(wanted, now)) {
      if (Screen.wanted() && Screen.wanted().mode === 'linear') { Screen.clear(); }
      return;
    }
    var current = Screen.wanted();
    if (current && current.mode === 'linear' && same(current, wanted)) {
      current.key = wanted.key;
      current.ends_ms = wanted.ends_ms;
      return;
    }
    if (TV.perf() < retryAt) { return; }
    wanted.mode = 'linear';
    Screen.put(wanted);
  }

  /* A slot longer than its medium: once the medium has ended there is nothing to show until the slot ends. */
  function isOver(play, now) { return play.ends_ms - now > 1000 && now - play.starts_ms > play.media_ms - 500; }

  /* The same programme from the same beginning: a new listing may only have moved its end. */
  function same(one, other) {
    return one.key === other.key || (one.release === other.release && Math.abs(one.starts_ms - other.starts_ms) < 1500);
  }

  Screen.onShown = function (what) {
    retries = 0;
    var between = what.source === 'filler' || what.source === 'fill';
    if (what.mode === 'linear' && (!between || !shownBefore)) { wakeBar(); }
    shownBefore = true;
    TV.Voice.saw(what);
    paint();
  };
  Screen.onEnded = function (what) {
    if (what.mode === 'study') { study('over'); } else if (what.mode === 'library') { where = 'faces'; Overlays.askFace(what); paint(); } else { follow(); paint(); }
  };
  Screen.onFailed = function (what) {
    if (what.mode === 'library') { leaveChosen(TV.say('toast_failed')); return; }
    if (what.mode === 'study') { Screen.clear(); retryAt = TV.perf() + 3000; paint(); return; }
    Screen.clear();
    retryAt = TV.perf() + RETRY_MS[Math.min(retries, RETRY_MS.length - 1)];
    retries++;
    paint();
    pollAt = 0;
  };
  Screen.onMuted = function () { paint(); };
  Screen.onAsked = Prompt.told;

  /* --- choosing a programme --- */
  function playChosen(programme) {
    if (programme.stored === false) { wish({ release: programme.release }, TV.say('toast_wish')); return; }
    Screen.settle(function () { TV.post('/api/plays', { mode: 'library', release: programme.release }, function (status, answer) {
      if (status !== 201) { toast(TV.say(answer && answer.error === 'not-stored' ? 'toast_not_stored' : 'toast_failed')); return; }
      where = 'chosen';
      if (Screen.shown()) { Screen.shown().uncounted = true; }
      answer.mode = 'library';
      answer.key = 'library@' + answer.play;
      Screen.put(answer);
      if (answer.from_ms) { toast(TV.say('resume_from', TV.span(answer.from_ms))); }
      wakeBar();
      paint();
    }); });
  }
  function wish(what, words) { TV.post('/api/wishes', what, function (status) { toast(status === 201 ? words : TV.say('toast_failed')); }); }
  function playNumber() {
    var number = Overlays.takeNumber();
    ask('GET', '/api/number?n=' + number, null, function (status, answer) {
      if (status !== 200) { Overlays.numberIs(TV.say('toast_no_number', number)); return; }
      Overlays.numberIs(answer.title);
      playChosen(answer);
    });
  }
  function leaveFaces(face) {
    Overlays.rate(face);
    leaveChosen(face ? TV.say('toast_thanks') : '');
  }
  function leaveChosen(words) {
    where = 'menu';
    Screen.clear();
    retryAt = 0;
    if (words) { toast(words); }
    follow();
    Screen.settle(fetchLibrary);  /* once the place somebody left it at has arrived */
    openMenu(Views.view || 'home', null, true);
  }

  /* --- 集中学习 --- */
  function study(deed) {
    var session = Evening.session(data.state);
    TV.post('/api/study', { do: deed, number: session ? session.number : 0 }, function (status, answer) {
      if (status !== 200) { toast(TV.say(deed === 'begin' ? 'toast_no_study' : 'toast_failed')); pollAt = 0; return; }
      if (data.state) { data.state.study = answer.study; }
      refresh();
    });
  }
  function enterStudy() {
    var session = Evening.session(data.state);
    where = 'study';
    stopAsked = -Infinity;
    Screen.clear();
    if (session.broken) { toast(TV.say('toast_resumed')); }
  }
  /* Put on what the session plays; where heads are to be counted they come first. */
  function studyOn() {
    var session = Evening.session(data.state), wanted = Screen.wanted();
    if (!session) { where = 'watch'; Screen.clear(); follow(); wakeBar(); return; }
    var called = Evening.calledElsewhere(session), roll = Evening.wantsHeads(session);
    if (called) { toast(TV.say('heads_were', called.present, called.expected || '–')); }
    if (roll && !Evening.counting()) { Evening.startCounting(session, roll); }
    if (session.state !== 'playing' || Evening.counting()) { if (wanted) { Screen.clear(); } return; }
    if (!session.current || starting || TV.perf() < retryAt) { return; }
    if (wanted && wanted.mode === 'study' && wanted.release === session.current.release) {
      /* Its end was said and not heard: say it again. The number keeps a second telling from skipping a programme. */
      if (Screen.over()) { retryAt = TV.perf() + 3000; study('over'); }
      return;
    }
    var from = session.from_ms, release = session.current.release;
    starting = true;
    Screen.settle(function () { TV.post('/api/plays', { mode: 'study', release: release }, function (status, answer) {
      starting = false;
      if (where !== 'study' || status !== 201) { retryAt = TV.perf() + 3000; return; }
      answer.mode = 'study';
      answer.key = 'study@' + answer.play;
      answer.from_ms = from;
      Screen.put(answer);
      wakeBar();
    }); });
  }
  var stopAsked = -Infinity, starting = false;
  function atStudy(key, repeat) {
    var session = Evening.session(data.state);
    if (!session) { return; }
    if (!Evening.counting() && session.state === 'playing' && Course.key('study', key, repeat, { over: function () { study('over'); }, toast: toast })) { return; }
    if (session.state === 'playing' && !Evening.counting() && (key === 'up' || key === 'down')) { Sound.key(key === 'up' ? 'louder' : 'softer'); return; }
    if (repeat) { return; }
    if (Evening.counting()) {
      if (key === 'back') { Evening.skipHeads(); refresh(); return; }
      var heads = Evening.headKey(key);
      if (heads) { TV.post('/api/heads', heads, function (status, answer) { if (status === 201 && data.state) { data.state.study = answer.study; } else { Evening.askHeadsAgain(session); } refresh(); }); }
      return;
    }
    if (session.state === 'closing') { if (key === 'ok' || key === 'back') { study('finish'); } return; }
    if (key === 'back') {
      if (TV.perf() - stopAsked < 4000) { study('stop'); } else { stopAsked = TV.perf(); toast(TV.say('stop_ask')); }
    } else if (session.state === 'discussing') {
      if (key === 'ok' || key === 'right') { study('onward'); } else if (key === 'left') { study('back'); }
    } else if (key === 'ok') { Screen.toggle(); wakeBar(); }
    else if (key === 'right') { study('over'); } else { wakeBar(); }
  }

  /* --- the menu --- */
  /* What arrives late takes the focus from nobody who has moved on meanwhile. */
  var strokes = 0;
  function openMenu(view, wanted, stay) {
    var then = strokes;
    where = 'menu';
    Views.view = view;
    Views.drawTabs(chooseTab);
    if (view === 'listing') {
      if (!stay) { data.day = 0; }
      fetchListing(function () { if (where === 'menu' && Views.view === 'listing') { drawListing(stay || strokes !== then ? null : Views.currentRow(data.listing)); } });
    }
    if (view === 'replay') {
      ask('GET', '/api/replay', null, function (status, answer) {
        data.replay = status === 200 ? answer : null;
        if (where === 'menu' && Views.view === 'replay') { draw(stay || strokes !== then ? null : Views.firstReplay(data)); }
      });
    }
    if (Desk.page(view)) { loadPage(Desk.page(view)); }
    if (view === 'desk') { Desk.summarise(function () { if (where === 'menu' && Views.view === 'desk') { draw(); } }); }
    draw(wanted);
    paint();
  }
  function loadPage(page) {
    if (!page.load) { return; }
    ask('GET', page.load, null, function (status, answer) {
      Desk.told[page.name] = status === 200 ? answer : null;
      if (where === 'menu' && Views.view === 'desk-' + page.name) { draw(); }
    });
  }
  function chooseTab(view) { openMenu(view, 'tab-' + view); Views.move('down'); }
  function closeMenu() {
    where = 'watch';
    wakeBar();
    paint();
  }
  var acts = {
    watch: closeMenu,
    study: function () { study('begin'); },
    open: function (view) { openMenu(view); },
    desk: function (name) { var page = Desk.page('desk-' + name); if (page) { openMenu('desk-' + name, page.wanted ? page.wanted() : null); } },
    again: function () { if (Desk.page(Views.view)) { loadPage(Desk.page(Views.view)); } },
    post: TV.post,
    toast: function (text) { toast(text); },
    play: playChosen,
    day: function (step) { data.day = step; fetchListing(function () { drawListing('day' + step); }); },
    redraw: function (wanted) { draw(wanted); },
    wish: function (text) { wish({ text: text }, TV.say('toast_wished', text)); },
    listed: function (row) {
      var now = TV.now();
      if (now !== null && row.starts_ms <= now && now < row.ends_ms) { closeMenu(); return; }
      if (now !== null && row.starts_ms > now) { wish({ release: row.release }, TV.say('toast_wish_later', TV.when(row.starts_ms))); return; }
      playChosen(row);
    },
    language: function () { TV.lang = TV.lang === 'zh' ? 'en' : 'zh'; keep('lang', TV.lang); speak(); openMenu('settings', 'set-language'); },
    captions: function () { Sound.setCaptions(!Sound.captions, Sound.language); draw(); },
    captionsLanguage: function () { Sound.setCaptions(Sound.captions, Sound.language === 'zh' ? 'en' : 'zh'); draw(); },
    volume: function () { Sound.turn(); draw(); },
    size: function () { data.big = !data.big; keep('big', data.big ? '1' : '0'); measure(); draw(); }
  };
  function draw(wanted) {
    drawn = signature();
    if (Views.view === 'listing') { drawListing(wanted); return; }
    var page = Desk.page(Views.view);
    if (page) { Views.draw(Views.view, Desk.view(page, acts), TV.say(page.footer), wanted); return; }
    Views.draw(Views.view, Views[Views.view](data, acts), TV.say({ replay: 'keys_replay', search: 'keys_search' }[Views.view] || 'keys_home'), wanted);
  }
  function drawListing(wanted) { Views.draw('listing', Views.listing(data, acts), TV.say('keys_list'), wanted); }

  /* Draw again only when something that stands there has changed. */
  function redraw() { if (where === 'menu' && drawn !== signature()) { Views.drawTabs(chooseTab); draw(); } }
  function signature() {
    var s = data.state || {};
    return JSON.stringify([Views.view, TV.lang, s.documents, s.clock, s.refusal, s.study && s.study.offer, s.play && s.play.key, s.upcoming, s.item && s.item.id, data.library, Views.view === 'replay' && data.replay, Views.view === 'settings' && [Sound.captions, Sound.language, Sound.volume, data.big]]);
  }

  /* --- painting what changes by itself --- */
  function paint() {
    var state = data.state, now = TV.now(), what = Screen.shown(), idle = !what;
    var mood = 'at-' + where + (idle ? ' idle' : '') + (kiosk ? ' kiosk' : '');
    if (document.body.className !== mood) { document.body.className = mood; }
    show('shell', where === 'menu');
    byId('shell').setAttribute('aria-hidden', where === 'menu' ? 'false' : 'true');
    show('slate', idle);
    var urgent = state && state.emergency;
    show('emergency', urgent && idle && where !== 'menu');
    setText('emergency-text', urgent || '');
    setText('emergency-label', TV.say('emergency'));
    setText('emergency-place', (state && state.station) || '');
    setText('emergency-time', now === null ? '' : TV.hhmm(now));
    paintClock(now);
    if (idle) { paintSlate(state, now); }
    paintBar(state, what, now);
    Overlays.paint(state, now, where);
    Evening.paint(state, now, where);
    Desk.paint(state, where);
    Course.paint(where);
    Sound.paint();
    Prompt.paint();
    paintLogo(state, what, urgent);
    layers.forEach(function (layer) { if (layer.paint) { layer.paint(state, now); } });
    paintTicker(state, urgent && !idle ? urgent : null);
    var soundless = Screen.muted() && where !== 'menu';
    show('hint', soundless && !idle);
    setText('hint', TV.say('sound'));
    show('toast', TV.perf() < toastUntil);
  }
  /* 台标: over the channel's line, and nowhere else. */
  function paintLogo(state, what, urgent) {
    var logo = byId('logo'), wanted = where === 'watch' && what && what.mode === 'linear' && !urgent && !Course.active(where) && state && state.logo;
    if (wanted && logo.getAttribute('src') !== wanted) { logo.setAttribute('src', wanted); }
    show('logo', wanted);
    logo.classList.toggle('lower', !!state && state.notices.length > 0);
  }
  function paintClock(now) {
    setText('clock-time', now === null ? '' : TV.hhmm(now));
    setText('clock-date', now === null ? '' : TV.dateText(now));
    setText('place', (data.state && data.state.station) || '');
    var fill = byId('home-fill'), play = Screen.shown();
    if (fill && play && play.mode === 'linear' && now !== null) { fill.style.width = share(now - play.starts_ms, play.media_ms); }
  }
  function share(part, whole) { return Math.max(0, Math.min(100, 100 * part / whole)).toFixed(2) + '%'; }

  function paintSlate(state, now) {
    var next = state && state.upcoming && state.upcoming[0], ready = state && state.tonight;
    setText('slate-station', (state && state.station) || '远播');
    setText('slate-time', now === null ? '' : TV.hhmm(now));
    setText('slate-date', now === null ? '' : TV.dateText(now));
    setText('slate-why', Screen.wanted() ? '' : Views.why(state));
    setText('slate-next', state && now === null ? TV.say('clock_library') : next ? TV.say('next') + '　' + TV.when(next.starts_ms) + '　' + next.title : '');
    var good = ready && ready.wanted > 0;
    setText('slate-ready', !good ? '' : ready.ready === ready.wanted ? '✓ ' + TV.say('ready_all', ready.wanted) : TV.say('ready_some', ready.ready, ready.wanted));
    byId('slate-ready').classList.toggle('all', !!good && ready.ready === ready.wanted);
  }

  function wakeBar() { barUntil = TV.perf() + BAR_MS; paint(); }
  function paintBar(state, what, now) {
    var chosen = !!what && what.mode !== 'linear', paused = chosen && !Screen.playing();
    show('bar', what && where !== 'menu' && where !== 'faces' && !Prompt.open() && (TV.perf() < barUntil || paused));
    if (!what) { return; }
    var at = chosen ? Screen.position() : now - what.starts_ms;
    var between = what.source === 'filler' || what.source === 'fill';
    setText('bar-kicker', paused ? TV.say('paused') : TV.say(what.mode === 'study' ? 'study_now' : chosen ? 'chosen' : between ? 'between' : what.source === 'emergency' ? 'emergency' : 'on_air'));
    byId('bar').classList.toggle('chosen', chosen);
    setText('bar-title', what.title);
    byId('bar-fill').style.width = share(at, what.media_ms);
    setText('bar-left', TV.span(at) + ' / ' + TV.span(what.media_ms));
    setText('bar-right', what.mode === 'study' ? TV.say('keys_study') : chosen ? TV.say('keys_play') : TV.name(what.section_names));
    var next = !chosen && state && state.upcoming && state.upcoming[0];
    setText('bar-next', next ? TV.say('next') + '　' + TV.when(next.starts_ms) + '　' + next.title : '');
  }

  function paintTicker(state, urgent) {
    var text = urgent || ((state && state.notices) || []).join('　　　◆　　　');
    var line = byId('ticker-text');
    show('ticker', text && where !== 'menu');
    byId('ticker').classList.toggle('urgent', !!urgent);
    setText('ticker-label', TV.say(urgent ? 'emergency' : 'notice'));
    if (line.textContent !== text) {
      line.textContent = text;
      line.style.animationDuration = Math.max(14, 8 + text.length * 0.32) + 's';
    }
  }
  TV.toast = toast;
  function toast(text) { setText('toast', text); toastUntil = TV.perf() + TOAST_MS; paint(); }

  /* --- keys --- */
  /* What is asked over the whole screen has the keys until it is closed. */
  var layers = [];
  TV.open = function (layer) { layers.push(layer); paint(); };
  TV.layered = function () { return layers.length > 0; };
  TV.close = function (layer) { layers = layers.filter(function (one) { return one !== layer; }); paint(); };
  function dropLayers() {
    var open = layers;
    layers = [];
    open.forEach(function (layer) { if (layer.dropped) { layer.dropped(); } });
  }

  function pressed(event) {
    var key = Keys.of(event), digit = Keys.digit(event);
    if (event.ctrlKey || event.altKey || event.metaKey) { return; }
    if (Screen.muted()) { Screen.setMuted(false); }
    Desk.pressed();
    Screen.touch();
    strokes++;
    Keys.feel(TV.perf());
    if (Prompt.answer()) { event.preventDefault(); return; }
    if (digit !== null && layers.length) {
      event.preventDefault();
      if (layers[layers.length - 1].digit) { layers[layers.length - 1].digit(digit); paint(); }
      return;
    }
    if (digit !== null && where === 'study') { event.preventDefault(); Evening.digit(digit); paint(); return; }
    if (digit !== null && where !== 'faces') { event.preventDefault(); Overlays.digit(digit); paint(); return; }
    if (!key) { return; }
    event.preventDefault();
    if (key === 'louder' || key === 'softer' || key === 'mute') { Sound.key(key); if (where === 'menu' && Views.view === 'settings') { draw(); } return; }
    if (layers.length) { layers[layers.length - 1].key(key, event.repeat); paint(); return; }
    if (key === 'ok' && Overlays.dueNumber(true)) { playNumber(); return; }
    if (key === 'back' && Overlays.typing()) { Overlays.dropNumber(); paint(); return; }
    ({ watch: atWatch, menu: atMenu, chosen: atChosen, faces: atFaces, study: atStudy })[where](key, event.repeat);
    paint();
  }
  function atFaces(key, repeat) { if (!repeat) { leaveFaces(Overlays.faces[key] || null); } }
  function atWatch(key) {
    if (key === 'ok' && Evening.isNear(data.state, TV.now())) { openMenu('home', 'study-begin'); return; }
    if (key === 'left') { openMenu('replay', 'tab-replay'); return; }
    if (key === 'right' || key === 'down') { if (Screen.shown()) { wakeBar(); } else { openMenu('home'); } return; }
    openMenu('home', 'watch');
  }
  function atMenu(key, repeat) {
    if (key === 'back') {
      var page = Desk.page(Views.view);
      if (page && page.back && page.back(acts)) { return; }
      if (page) { openMenu('desk', 'tile-' + page.name); } else if (Views.view === 'home') { closeMenu(); } else { openMenu('home', 'tab-' + Views.view); }
    } else if (key === 'ok') {
      var focused = Views.focused();
      if (focused && !repeat) { focused.act(); }
    } else { Views.move(key); }
  }
  function atChosen(key, repeat) {
    if (Course.key('chosen', key, repeat)) { return; }
    if (key === 'up' || key === 'down') { Sound.key(key === 'up' ? 'louder' : 'softer'); return; }
    rate = repeat ? Math.min(rate + 1, 12) : 0;
    if (key === 'back') { leaveChosen(''); return; }
    if (key === 'ok') { if (!repeat) { Screen.toggle(); } }
    else if (key === 'left') { Screen.skip(rate > 4 ? -30000 : -10000); }
    else if (key === 'right') { Screen.skip(rate > 4 ? 30000 : 10000); }
    wakeBar();
  }
  document.addEventListener('keydown', pressed);

  /* A mouse on an ordinary computer: what is pointed at has the focus, a click is OK. */
  document.addEventListener('click', function (event) {
    var target = event.target;
    if (Screen.muted()) { Screen.setMuted(false); }
    while (target && target !== document.body && !(target.classList && target.classList.contains('stop'))) { target = target.parentNode; }
    if (target && target.act) { Views.focusNamed(target.getAttribute('data-stop')); target.act(); }
    else if (where === 'watch') { openMenu('home', 'watch'); }
    else if (where === 'chosen') { Screen.toggle(); wakeBar(); }
    else if (where === 'faces') { leaveFaces(faceUnder(event.target)); }
  });
  function faceUnder(element) {
    while (element && element !== document.body) {
      if (element.getAttribute && element.getAttribute('data-face')) { return element.getAttribute('data-face'); }
      element = element.parentNode;
    }
    return null;
  }

  /* --- settings that stay, size, start --- */
  function keep(name, value) { try { window.localStorage.setItem('yuanbo-' + name, value); } catch (error) { /* private window */ } }
  function kept(name) { try { return window.localStorage.getItem('yuanbo-' + name); } catch (error) { return null; } }
  function speak() {
    document.documentElement.lang = TV.lang === 'zh' ? 'zh-CN' : 'en';
    document.title = TV.lang === 'zh' ? '远播' : 'Yuanbo';
  }
  function measure() {
    var unit = Math.min(window.innerWidth / 120, window.innerHeight / 67.5);
    document.documentElement.style.fontSize = unit.toFixed(3) + 'px';
    document.documentElement.classList.toggle('big', data.big);
  }
  window.addEventListener('resize', measure);

  var asked = /[?&]lang=(zh|en)\b/.exec(query);
  TV.lang = asked ? asked[1] : kept('lang') === 'en' ? 'en' : 'zh';
  data.big = kept('big') === '1';
  Sound.take({ volume: Sound.volume, captions: Sound.captions, language: Sound.language });
  (function remembered() {
    ask('GET', '/api/watching', null, function (status, answer) {
      if (status === 200) { Sound.take(answer); redraw(); } else { setTimeout(remembered, 3000); }
    });
  }());
  speak();
  measure();
  Screen.setMuted(!kiosk);
  poll();
  setInterval(function () {
    var now = TV.now(), current = Screen.wanted(), state = data.state;
    Screen.tick();
    if (TV.perf() >= pollAt) { poll(); }
    if (Overlays.dueNumber(false)) { playNumber(); }
    if (Overlays.facesOver()) { leaveFaces(null); }
    if (where === 'study') { studyOn(); }
    if (where === 'watch' || where === 'menu') {
      if (!current || (current.mode === 'linear' && now !== null && now >= current.ends_ms)) {
        if (state && now !== null && TV.perf() >= retryAt) { follow(); }
        if (current && pollAt > TV.perf() + 400) { pollAt = TV.perf() + 400; }
      } else if (state && state.then && now !== null && current.ends_ms - now < Screen.AHEAD_MS && current === Screen.shown()) {
        state.then.mode = 'linear';
        if (!same(state.then, current)) { Screen.ahead(state.then); }
      }
    }
    paint();
  }, 250);
}());
