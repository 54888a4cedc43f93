/* 集中学习 on the screen: 今晚已就绪 before it, heads counted with the number keys, the programme, the discussion, the close.
   What the session is stands with the agent; this only shows it and says what was pressed. */
(function () {
  'use strict';
  var Views = TV.Views, byId = Views.byId, setText = Views.setText, show = Views.show, el = Views.el;
  var OFFER_BEFORE_MS = 30 * 60000;
  var Evening = TV.Evening = {};
  var counting = null;      /* {roll, present, expected, field} while heads are being counted */
  var skipped = {};         /* session id + roll: nobody wanted to count, or what was counted is on its way */

  Evening.session = function (state) { return (state && state.study && state.study.session) || null; };
  Evening.offer = function (state) { return (state && state.study && state.study.offer) || null; };
  /* Half an hour before its time the evening takes the idle screen and the home page. */
  Evening.isNear = function (state, now) {
    var offer = Evening.offer(state);
    return !!offer && now !== null && offer.starts_ms - now <= OFFER_BEFORE_MS && now < offer.ends_ms;
  };

  /* --- counting heads --- */
  Evening.wantsHeads = function (session) {
    if (!session) { return null; }
    var roll = session.state === 'closing' ? 'end' : 'start';
    return session.rolls[roll] || skipped[session.id + roll] || (roll === 'start' && session.broken) ? null : roll;
  };
  Evening.startCounting = function (session, roll) {
    var before = session.rolls.start || {};
    counting = { roll: roll, id: session.id, present: '', expected: before.expected ? String(before.expected) : '', field: roll === 'end' ? 'present' : 'expected' };
    draw();
  };
  Evening.counting = function () { return counting; };
  /* Somebody called the roll on a phone meanwhile: answers what came, once. */
  Evening.calledElsewhere = function (session) {
    var told = counting && counting.id === session.id && session.rolls[counting.roll];
    if (told) { counting = null; }
    return told || null;
  };
  Evening.digit = function (digit) {
    if (!counting) { return; }
    counting[counting.field] = (counting[counting.field] + digit).replace(/^0+(?=\d)/, '').slice(0, 4);
    draw();
  };
  /* Answers what to send, or null while something is missing. */
  Evening.headKey = function (key) {
    if (key === 'left') { counting[counting.field] = counting[counting.field].slice(0, -1); }
    else if (key === 'up' || key === 'down') {
      var step = key === 'up' ? 1 : -1, value = parseInt(counting[counting.field] || '0', 10);
      counting[counting.field] = String(Math.min(9999, Math.max(0, value + step)));
    } else if (key === 'right' || (key === 'ok' && counting.field === 'expected')) { counting.field = counting.field === 'expected' ? 'present' : 'expected'; }
    else if (key === 'ok' && counting.present !== '') {
      var heads = { present: parseInt(counting.present, 10), expected: parseInt(counting.expected || '0', 10) };
      Evening.skipHeads();  /* they are on their way: nobody is asked for them a second time */
      return heads;
    }
    draw();
    return null;
  };
  Evening.askHeadsAgain = function (session) { skipped[session.id + 'start'] = skipped[session.id + 'end'] = false; };
  Evening.skipHeads = function () { if (counting) { skipped[counting.id + counting.roll] = true; } counting = null; };

  function draw() {
    if (!counting) { return; }
    setText('heads-title', TV.say(counting.roll === 'end' ? 'heads_end' : 'heads_start'));
    ['expected', 'present'].forEach(function (field) {
      setText('heads-' + field + '-label', TV.say('heads_' + field));
      setText('heads-' + field, counting[field] || '–');
      byId('heads-' + field).parentNode.classList.toggle('field', counting.field === field);
    });
    setText('heads-keys', TV.say('heads_keys'));
  }

  /* --- 今晚已就绪 --- */
  Evening.card = function (offer, act) {
    var panel = el('div', 'tonight');
    panel.appendChild(el('div', 'tonight-kicker', TV.say(offer.ready ? 'tonight_ready' : 'tonight_waiting')));
    panel.appendChild(el('h1', '', TV.say('tonight_at', TV.when(offer.starts_ms))));
    if (offer.title || offer.reason) { panel.appendChild(el('p', 'tonight-title', offer.title + (offer.reason ? '　' + TV.say('moved', offer.reason) : ''))); }
    var line = el('div', 'tonight-programmes');
    offer.programmes.slice(0, 3).forEach(function (programme) {
      var picture = el('div', 'picture hue-2', null, el('span', 'picture-title', programme.title));
      if (programme.poster) { var image = el('img'); image.alt = ''; image.src = programme.poster; picture.appendChild(image); }
      line.appendChild(el('div', 'tonight-programme', null, picture, el('div', 'card-title', programme.title),
        el('div', programme.stored ? 'verified' : 'verified missing', TV.say(programme.stored ? 'verified' : 'coming'))));
    });
    panel.appendChild(line);
    var begin = Views.stop('study-begin', 'button', act, [el('span', 'triangle'), el('span', '', TV.say('study_begin'))]);
    panel.appendChild(el('div', 'buttons', null, begin, el('span', 'tonight-note', offer.ready ? TV.say('without_net') : '')));
    return { element: panel, row: [begin] };
  };

  /* --- the talk, the close --- */
  Evening.paint = function (state, now, where) {
    var session = Evening.session(state), heads = where === 'study' && counting;
    var talk = where === 'study' && session && session.state === 'discussing' && !heads;
    var close = where === 'study' && session && session.state === 'closing' && !heads;
    show('heads', heads);
    show('talk', talk || close);
    if (talk) {
      var passed = now === null ? 0 : Math.max(0, now - session.since_ms);
      setText('talk-kicker', TV.say('study') + '　' + session.number + ' / ' + session.count);
      setText('talk-title', TV.say('talk'));
      setText('talk-about', session.current ? session.current.title : '');
      setText('talk-clock', TV.span(passed));
      setText('talk-meant', TV.say('talk_meant', Math.round(session.talk_ms / 60000)));
      setText('talk-next', session.next ? TV.say('next') + '　' + session.next.title : TV.say('talk_last'));
      setText('talk-keys', TV.say('talk_keys'));
    } else if (close) {
      var end = session.rolls.end;
      setText('talk-kicker', session.title || TV.say('study'));
      setText('talk-title', TV.say('study_over'));
      setText('talk-about', end ? TV.say('heads_were', end.present, (session.rolls.start || {}).expected || end.expected || '–') : '');
      setText('talk-clock', '');
      setText('talk-meant', '');
      setText('talk-next', TV.say('study_thanks'));
      setText('talk-keys', TV.say('close_keys'));
    }
    TV.Phone.paint(state, now, where);
  };
}());
