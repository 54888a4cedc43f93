/* The page: a home with large icons, and behind each one thing to do. Nothing typed is lost by a reload. */
(function () {
  'use strict';
  var POLL_MS = 3000;
  var view = 'home', onlyMissing = false, toastTimer = null, sure = null, again = null;
  var ICONS = {
    roll: 'M5 5h14v15H5zM9 3h6v4H9zM8.5 13l2.3 2.3 4.7-4.8', photo: 'M4 8h3l2-3h6l2 3h3v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z',
    voice: 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11a6 6 0 0 0 12 0M12 17v4M8.5 21h7', minutes: 'M5 20l1-4L16.5 5.500l3 3L9 19zM14.500 7.500l3 3',
    question: 'M4 5h16v12H10l-4 4v-4H4zM10 9.500a2 2 0 1 1 2.800 1.800c-.6.3-.8.6-.8 1.200M12 14.700v.1', fault: 'M12 4l9 16H3zM12 10v5M12 17.500v.1'
  };

  /* --- making elements --- */
  function el(tag, name, text) {
    var made = document.createElement(tag);
    if (name) { made.className = name; }
    if (text !== undefined && text !== null) { made.textContent = text; }
    for (var i = 3; i < arguments.length; i++) { if (arguments[i]) { made.appendChild(arguments[i]); } }
    return made;
  }
  function button(name, text, act) {
    var made = el('button', name, text);
    made.type = 'button';
    made.addEventListener('click', act);
    for (var i = 3; i < arguments.length; i++) { if (arguments[i]) { made.appendChild(arguments[i]); } }
    return made;
  }
  function icon(path) {
    var space = 'http' + '://www.w3.org/2000/svg', svg = document.createElementNS(space, 'svg'), line = document.createElementNS(space, 'path');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    line.setAttribute('d', path);
    svg.appendChild(line);
    return svg;
  }
  function byId(id) { return document.getElementById(id); }
  function toast(text) {
    byId('toast').textContent = text;
    byId('toast').className = 'shown';
    window.clearTimeout(toastTimer);
    toastTimer = window.setTimeout(function () { byId('toast').className = ''; }, 4000);
  }
  function told(status, answer, good) {
    if (status === 200) { toast(good); return true; }
    toast(say(status === 507 ? 'disk' : status === 429 ? 'too_many' : status === 0 || status === -1 || status === 503 ? 'queued' : answer.error === 'list-full' ? 'full' : answer.error === 'no-session' ? 'no_session_yet' : answer.error === 'size' || status === 413 ? 'voice_size' : answer.error === 'type' ? 'voice_type' : 'failed'));
    return false;
  }

  var Page = window.Page = { el: el, button: button, icon: icon, toast: toast, told: told, draw: function () { draw(); } };

  /* --- what the TV says --- */
  Line.onState = function (answer) {
    if (!answer.version) { return; }
    Kept.state = answer;
    Kept.save();
    draw();
  };
  function poll() {
    Line.ask('GET', 'state?have=' + ((Kept.state && Kept.state.version) || ''), null, function (status, answer) {
      if (status === 200) { Line.onState(answer); Roll.flush(); Line.push(); }
    });
  }

  /* --- the home --- */
  var TILES = ['roll', 'photo', 'voice', 'minutes', 'question', 'fault'];
  function drawHome(main) {
    var box = el('div', 'tiles'), s = Kept.state && Kept.state.session;
    TILES.forEach(function (name) {
      if (!VIEWS[name]) { return; }
      var about = say(name + '_about'), figure = '';
      if (s && s.kept && s.kept[name]) { figure = say('kept', s.kept[name]); }
      if (name === 'roll' && s) { var c = Roll.counts(); figure = s.state === 'over' && !c.present ? '' : c.present + ' / ' + (c.expected || '–'); }
      box.appendChild(button('tile tile-' + name, null, function () { open(name); }, icon(ICONS[name]), el('b', '', say(name)), el('span', figure ? 'figure' : '', figure || about)));
    });
    main.appendChild(box);
    main.appendChild(el('p', 'papers', null, paper('week'), paper('log')));
  }
  /* What may be printed or shared from here. */
  function paper(name) {
    var made = el('a', '', say('paper_' + name));
    made.href = 'print/' + name + '?lang=' + language;
    return made;
  }

  /* --- the roll --- */
  function drawRoll(main, bottom) {
    var s = Kept.state && Kept.state.session, people = (Kept.state && Kept.state.people) || [], c = Roll.counts();
    if (!s) { main.appendChild(el('p', 'plain', say('no_session'))); main.appendChild(button('wide', say('people'), function () { open('people'); })); return; }
    var tools = el('div', 'tools');
    if (people.length) { tools.appendChild(button('tool', say('everybody'), Roll.everybody)); }
    if (Roll.mayRepeat()) { tools.appendChild(button('tool', say('as_begun'), Roll.repeat)); }
    var back = button('tool', say('undo'), Roll.undo);
    back.disabled = !Roll.mayUndo();
    tools.appendChild(back);
    if (people.length) { tools.appendChild(button('tool' + (onlyMissing ? ' on' : ''), say(onlyMissing ? 'all_names' : 'only_missing'), function () { onlyMissing = !onlyMissing; draw(); })); }
    tools.appendChild(button('tool', say('people'), function () { open('people'); }));
    main.appendChild(tools);
    if (!people.length) {
      main.appendChild(el('h2', '', say('list_empty')));
      main.appendChild(el('p', 'plain', say('list_empty_how')));
      main.appendChild(button('wide', say('paste'), function () { open('people'); }));
      main.appendChild(el('h2', '', say('no_list')));
    }
    var names = el('div', 'names');
    people.forEach(function (person) {
      var there = Roll.there(person[0]);
      if (onlyMissing && there) { return; }
      var made = button('name' + (there ? ' there' : '') + (person[1].length > 4 ? ' long' : ''), null, function () { Roll.tap(person[0]); }, el('b', '', person[1]), person[2] ? el('i', '', say('party')) : null);
      made.setAttribute('aria-pressed', there ? 'true' : 'false');
      made.setAttribute('data-person', person[0]);
      names.appendChild(made);
    });
    main.appendChild(names);
    main.appendChild(el('div', 'others', null, el('span', '', say('others')), button('step', '−', function () { Roll.step(-1); }), el('b', '', String(Roll.others())), button('step', '+', function () { Roll.step(1); })));
    var total = el('div', 'total', null, el('b', 'figure', c.present + ' / ' + (c.expected || '–')), el('span', '', say('members', c.members) + '　' + say('public', c.open)));
    var saved = Roll.saved(), words = Roll.trouble ? say(Roll.trouble) : Roll.saving ? say('saving') : saved ? say(s.state === 'offered' ? 'saved_waits' : 'saved') : '';
    if (words) { total.appendChild(el('em', Roll.trouble ? 'poor' : Roll.saving || !saved ? '' : 'good', words)); }
    bottom.appendChild(total);
    var done = button('save', say(saved ? 'done_again' : s.state === 'offered' ? 'done_before' : 'done'), Roll.finish);
    if (saved) { done.className = 'save quiet'; }
    bottom.appendChild(done);
  }

  /* --- the list --- */
  function addNames(text, party, after) {
    var body = { deed: Line.name(), text: text, party: party, again: again === text };
    Line.post('names', body, function (status, answer) {
      if (status !== 200) { told(status, answer, ''); return; }
      Line.onState(answer);
      if (answer.left_out.length && !answer.added && text.indexOf('\n') < 0) { again = text; toast(say('same_name', answer.left_out[0])); return; }
      again = null;
      toast(say('added', answer.added) + (answer.left_out.length ? '　' + say('left_out', answer.left_out.slice(0, 5).join('、')) : ''));
      after();
    });
  }
  function drawPeople(main) {
    var people = (Kept.state && Kept.state.people) || [], drafts = Kept.drafts, members = people.filter(function (p) { return p[2]; }).length;
    main.appendChild(el('p', 'plain', say('local_only')));
    var name = field('input', 'one', say('name')), party = button('flag' + (drafts.party ? ' on' : ''), say(drafts.party ? 'party' : 'not_party'), function () { drafts.party = !drafts.party; draw(); });
    name.maxLength = 20;
    main.appendChild(el('h2', '', say('add_one')));
    main.appendChild(el('div', 'adding', null, name, party, button('add', say('add'), function () {
      if (drafts.one && drafts.one.trim()) { addNames(drafts.one.trim(), !!drafts.party, function () { drafts.one = ''; Kept.save(); draw(); }); }
    })));
    main.appendChild(el('h2', '', say('paste')));
    var list = field('textarea', 'list', say('paste_how'));
    list.rows = 4;
    main.appendChild(list);
    main.appendChild(button('wide', say('add_all'), function () {
      if (drafts.list && drafts.list.trim()) { addNames(drafts.list, false, function () { drafts.list = ''; Kept.save(); draw(); }); }
    }));
    main.appendChild(el('h2', '', say('people') + '　' + say('people_count', people.length, members)));
    people.forEach(function (person) {
      main.appendChild(el('div', 'person', null, el('b', '', person[1]),
        button('flag' + (person[2] ? ' on' : ''), say(person[2] ? 'party' : 'not_party'), function () { change(person[0], person[1], !person[2]); }),
        button('remove', say(sure === person[0] ? 'remove_sure' : 'remove'), function () {
          if (sure === person[0]) { sure = null; change(person[0], '', false); } else { sure = person[0]; draw(); }
        })));
    });
  }
  function change(person, name, party) {
    Line.post('change', { person: person, name: name, party: party }, function (status, answer) { if (status === 200) { Line.onState(answer); } else { told(status, answer, ''); } });
  }
  function field(tag, draft, hint) {
    var made = el(tag);
    made.value = Kept.drafts[draft] || '';
    made.placeholder = hint;
    made.setAttribute('aria-label', hint);
    made.setAttribute('data-draft', draft);
    made.addEventListener('input', function () { Kept.drafts[draft] = made.value; Kept.save(); });
    return made;
  }

  /* --- minutes, a question, a fault --- */
  function drawText(main, bottom, draft, most, body) {
    var text = field('textarea', draft, say(draft + '_hint'));
    text.rows = 8;
    text.maxLength = most;
    main.appendChild(text);
    bottom.appendChild(button('save', say('send'), function () {
      var said = (Kept.drafts[draft] || '').trim(), sent = said && body(said);
      if (!sent) { return; }
      sent.deed = Line.name();
      Line.post(draft, sent, function (status, answer) { told(status, answer, say('sent')); });
      Kept.drafts[draft] = '';
      Kept.save();
      open('home');
    }));
  }
  function drawQuestion(main, bottom) { drawText(main, bottom, 'question', 500, function (text) { return { text: text }; }); }
  function drawMinutes(main, bottom) {
    drawText(main, bottom, 'minutes', 2000, function (text) {
      var s = Kept.state && Kept.state.session;
      if (!s) { toast(say('no_session_yet')); return null; }
      return { session: s.id, text: text };
    });
  }
  var FAULT_ICONS = {
    no_sound: 'M4 9v6h4l5 4V5L8 9zM16 9l5 6M21 9l-5 6', no_picture: 'M3 5h18v12H3zM9 21h6M7 8l10 6M17 8L7 14', no_network: 'M2 9a15 15 0 0 1 20 0M5.500 12.500a10 10 0 0 1 13 0M9 16a5 5 0 0 1 6 0M12 19.500v.1M4 4l16 16',
    remote: 'M8 2h8v20H8zM12 6v.1M10.500 10h3M10.500 13.500h3M10.500 17h3', set_broken: 'M3 5h18v12H3zM9 21h6M12 5l-2 5h4l-2 7', other: 'M6 12v.1M12 12v.1M18 12v.1'
  };
  function drawFault(main) {
    var box = el('div', 'tiles'), faults = (Kept.state && Kept.state.faults) || {};
    main.appendChild(el('p', 'plain', say('fault_pick')));
    Object.keys(faults).forEach(function (code) {
      var name = faults[code][language === 'zh' ? 0 : 1];
      box.appendChild(button('tile', null, function () {
        Line.post('fault', { deed: Line.name(), code: code }, function (status, answer) { told(status, answer, say('fault_sent', name)); });
        open('home');
      }, icon(FAULT_ICONS[code] || FAULT_ICONS.other), el('b', '', name)));
    });
    main.appendChild(box);
  }

  /* --- putting it together --- */
  var VIEWS = { home: drawHome, roll: drawRoll, people: drawPeople, minutes: drawMinutes, question: drawQuestion, fault: drawFault, photo: Media.drawPhoto, voice: Media.drawVoice };
  Page.open = open;
  function open(name) { Media.leave(); view = name; sure = again = null; draw(); window.scrollTo(0, 0); }
  function draw() {
    var main = byId('main'), bottom = byId('bottom'), s = Kept.state && Kept.state.session, typing = document.activeElement && document.activeElement.getAttribute('data-draft');
    var from = typing ? [document.activeElement.selectionStart, document.activeElement.selectionEnd] : null;
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    main.textContent = bottom.textContent = '';
    document.body.className = 'at-' + view;
    VIEWS[view](main, bottom);
    byId('back').textContent = say('back');
    byId('language').textContent = say('other_language');
    document.title = say('helper');
    byId('title').textContent = view === 'home' ? (Kept.state ? Kept.state.station : say('helper')) : view === 'roll' && s ? say('roll_' + s.roll) : say(view);
    byId('about').textContent = view === 'home' ? (s ? say(s.state) : say('no_session')) : s ? s.title : '';
    byId('line').textContent = Line.gone ? say('gone') : Line.lost ? say('lost') : Kept.queue.length ? say('waiting', Kept.queue.length) : '';
    byId('line').className = Line.gone || Line.lost || Kept.queue.length ? 'shown' : '';
    if (typing) {
      var same = document.querySelector('[data-draft="' + typing + '"]');
      if (same) { same.focus(); try { same.setSelectionRange(from[0], from[1]); } catch (error) { /* not a text field */ } }
    }
  }
  Line.onChange = Roll.onChange = draw;
  byId('back').addEventListener('click', function () { open(view === 'people' ? 'roll' : 'home'); });
  byId('language').addEventListener('click', function () { language = Kept.language = language === 'zh' ? 'en' : 'zh'; Kept.save(); draw(); });
  language = Kept.language || (/^zh/i.test(window.navigator.language || 'zh') ? 'zh' : 'en');
  if (/[?&]lang=(zh|en)\b/.test(window.location.search)) { language = RegExp.$1; }
  draw();
  poll();
  window.setInterval(poll, POLL_MS);
}());
