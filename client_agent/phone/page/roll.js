/* 点名: tapping names. A tap counts on the phone at once and goes to the TV in the background. */
var Roll = (function () {
  'use strict';
  var Roll = { onChange: function () {}, saving: false, trouble: '' }, undo = [], timer = null, busy = false;

  function session() { return Kept.state && Kept.state.session; }
  function told() { var s = session(); return s ? s.rolls[s.roll] : null; }
  function mine() {
    var s = session(), taps = Kept.taps;
    if (!s) { return null; }
    if (!taps || taps.session !== s.id || taps.roll !== s.roll) {
      var before = taps;
      undo = [];
      taps = Kept.taps = { session: s.id, roll: s.roll, of: {}, others: null, done: false, saved: '' };
      if (before && before.session === s.id && waits(before)) { carry(before, taps, s); }
    }
    return taps;
  }
  function waits(taps) { return taps.others !== null || taps.done || Object.keys(taps.of).length > 0; }
  /* The session moved on while the TV was out of reach: what was tapped goes to its own roll while that is open, else it is
     part of the late entry. */
  function carry(before, taps, s) {
    if (s.rolls[before.roll]) { (Kept.older = Kept.older || []).push(before); return; }
    taps.of = before.of;
    taps.others = before.others;
  }
  function flushOlder() {
    var older = Kept.older && Kept.older[0];
    if (!older) { return; }
    Kept.older.shift();
    Line.ask('POST', 'taps', body(older), function (status) { if (status === 0 || status >= 500 || status === 429) { Kept.older.unshift(older); } Kept.save(); });
  }
  function body(taps) {
    var list = [], now = Date.now(), person;
    for (person in taps.of) { list.push({ person: +person, present: taps.of[person].present, ago_ms: Math.max(0, now - taps.of[person].at) }); }
    return { session: taps.session, roll: taps.roll, taps: list, others: taps.others, done: taps.done };
  }
  Roll.there = function (person) {
    var taps = mine(), own = taps && taps.of[person];
    return own ? own.present : !!told() && told().there.indexOf(person) >= 0;
  };
  Roll.others = function () { var taps = mine(); return taps && taps.others !== null ? taps.others : told() ? told().others : 0; };
  Roll.counts = function () {
    var found = { expected: 0, present: 0, members: 0 };
    ((Kept.state && Kept.state.people) || []).forEach(function (person) {
      found.expected++;
      if (Roll.there(person[0])) { found.present++; found.members += person[2]; }
    });
    found.present += Roll.others();
    found.open = found.present - found.members;
    return found;
  };
  function figures() { var c = Roll.counts(); return c.present + '/' + c.expected + '/' + c.members; }
  /* What was saved is what stands there now. */
  Roll.saved = function () {
    var taps = mine(), c = Roll.counts(), known = told() && told().told;
    return !!taps && (taps.saved === figures() || (!!known && known.present === c.present && known.expected === c.expected));
  };
  Roll.mayUndo = function () { return undo.length > 0; };

  function put(person, present) { mine().of[person] = { present: present, at: Date.now() }; }
  function changed() {
    Kept.save();
    window.clearTimeout(timer);
    timer = window.setTimeout(Roll.flush, 400);
    Roll.onChange();
  }
  Roll.tap = function (person) {
    if (!mine()) { return; }
    undo.push([[person, Roll.there(person)]]);
    put(person, !Roll.there(person));
    changed();
  };
  Roll.everybody = function () { all(function () { return true; }); };
  /* At the end, those who were there at the beginning. */
  Roll.mayRepeat = function () { var s = session(); return !!s && s.roll === 'end' && !!s.rolls.start && s.rolls.start.there.length > 0; };
  Roll.repeat = function () {
    var there = session().rolls.start.there;
    all(function (person) { return there.indexOf(person) >= 0; });
  };
  function all(which) {
    if (!mine()) { return; }
    var before = [];
    Kept.state.people.forEach(function (person) {
      if (which(person[0]) && !Roll.there(person[0])) { before.push([person[0], false]); put(person[0], true); }
    });
    if (before.length) { undo.push(before); }
    changed();
  }
  Roll.undo = function () {
    (undo.pop() || []).forEach(function (one) { put(one[0], one[1]); });
    changed();
  };
  Roll.step = function (by) {
    var taps = mine();
    if (!taps) { return; }
    taps.others = Math.min(999, Math.max(0, Roll.others() + by));
    changed();
  };
  Roll.finish = function () {
    var taps = mine();
    if (!taps) { return; }
    taps.done = true;
    Roll.saving = true;
    Roll.trouble = '';
    changed();
    Roll.flush();
  };

  Roll.flush = function () {
    var taps = mine();
    if (busy || !taps) { return; }
    flushOlder();
    if (!waits(taps)) { return; }
    var sent = {}, others = taps.others, done = taps.done, person;
    for (person in taps.of) { sent[person] = taps.of[person].at; }
    busy = true;
    Line.ask('POST', 'taps', body(taps), function (status, answer) {
      busy = false;
      Roll.saving = false;
      if (status === 200) {
        for (person in sent) { if (taps.of[person] && taps.of[person].at === sent[person]) { delete taps.of[person]; } }
        if (taps.others === others) { taps.others = null; }
        Line.onState(answer);
        if (done) { taps.done = false; taps.saved = figures(); Roll.trouble = ''; }
        Kept.save();
      } else if (status === 507) { Roll.trouble = 'disk'; taps.done = false; }
      else if (status === 409) { Kept.taps = null; Kept.save(); Roll.trouble = 'failed'; }
      else if (status === 429) { Roll.trouble = 'too_many'; }
      Roll.onChange();
    });
  };
  return Roll;
}());
