/* The views one chooses a programme in: 点播 with topics and what was begun, 回看, 搜索 by pinyin initials. */
(function () {
  'use strict';
  var Views = TV.Views, el = Views.el, stop = Views.stop;
  var LETTERS = ['ABCDEFGHIJKLM', 'NOPQRSTUVWXYZ'], MOST_FOUND = 40;

  /* --- 点播 --- */
  Views.library = function (data, acts) {
    return function (main) {
      main.textContent = '';
      var out = [], scroll = el('div', 'scroll shelves'), library = data.library || {};
      function add(title, programmes, prefix, poster) {
        if (!programmes.length) { return; }
        var made = Views.shelf(title, programmes, acts.play, prefix, poster);
        scroll.appendChild(made.element);
        out.push(made.row);
      }
      add(TV.say('begun_row'), library.begun || [], 'begun-');
      (library.topics || []).forEach(function (topic) {
        add(TV.say('topic') + '　' + topic.title + (topic.required ? '　·　' + TV.say('required') : ''), topic.programmes, 'topic-' + topic.id + '-', topic.poster);
      });
      (library.sections || []).forEach(function (section) { add(TV.name(section.names), section.programmes, section.slug + '-'); });
      main.appendChild(el('div', 'scroll-window', null, scroll));
      if (!out.length) { main.appendChild(Views.empty('empty_library', 'empty_library_how')); }
      return out;
    };
  };

  /* --- 回看: a shelf for each day, today's first --- */
  Views.replay = function (data, acts) {
    return function (main) {
      main.textContent = '';
      var out = [], scroll = el('div', 'scroll shelves'), days = [], rows = (data.replay && data.replay.rows) || [];
      rows.forEach(function (row) {
        var day = TV.dateText(row.starts_ms);
        if (!days.length || days[days.length - 1].day !== day) { days.push({ day: day, rows: [] }); }
        days[days.length - 1].rows.push(row);
      });
      days.forEach(function (one) {
        var made = Views.shelf(one.day, one.rows, acts.play, 'replay-');
        scroll.appendChild(made.element);
        out.push(made.row);
      });
      main.appendChild(el('div', 'scroll-window', null, scroll));
      if (!out.length) { main.appendChild(Views.empty('empty_replay', 'empty_replay_how')); }
      return out;
    };
  };
  Views.firstReplay = function (data) {
    var rows = (data.replay && data.replay.rows) || [];
    return rows.length ? 'replay-' + rows[0].release : 'tab-replay';
  };

  /* --- 搜索 --- */
  var letters = '';
  Views.letters = function () { return letters; };

  function all(library) {
    var seen = {}, out = [];
    ((library && library.sections) || []).forEach(function (section) {
      section.programmes.forEach(function (p) { if (!seen[p.release]) { seen[p.release] = true; out.push(p); } });
    });
    return out;
  }
  /* Initials that begin with the letters come first, then those that hold them; what is stored before what is not. */
  Views.find = function (library, wanted) {
    var low = wanted.toLowerCase();
    function worth(p) { return (p.initials.indexOf(low) === 0 ? 0 : 2) + (p.stored ? 0 : 1); }
    return all(library).filter(function (p) { return p.initials.indexOf(low) >= 0; })
      .sort(function (a, b) { return worth(a) - worth(b) || (a.title < b.title ? -1 : 1); });
  };

  Views.search = function (data, acts) {
    function press(letter) { return function () { letters = (letters + letter).slice(0, 12); acts.redraw('key-' + letter); }; }
    return function (main) {
      main.textContent = '';
      var out = [], found = Views.find(data.library, letters);
      main.appendChild(el('div', 'search-line', null,
        el('b', letters ? 'search-typed' : 'search-typed hinted', letters || TV.say('search_hint')),
        el('span', '', letters ? (found.length ? TV.say('search_found', found.length) : TV.say('search_none', letters)) : '')));
      var pad = el('div', 'pad');
      LETTERS.forEach(function (line) {
        var row = [], box = el('div', 'pad-row');
        line.split('').forEach(function (letter) {
          var made = stop('key-' + letter, 'key', press(letter), [el('span', '', letter)]);
          box.appendChild(made);
          row.push(made);
        });
        pad.appendChild(box);
        out.push(row);
      });
      var deeds = [], box = el('div', 'pad-row deeds');
      deeds.push(stop('key-delete', 'key wide', function () { letters = letters.slice(0, -1); acts.redraw('key-delete'); }, [el('span', '', TV.say('search_delete'))]));
      deeds.push(stop('key-clear', 'key wide', function () { letters = ''; acts.redraw('key-clear'); }, [el('span', '', TV.say('search_clear'))]));
      if (letters && !found.length) {
        deeds.push(stop('key-wish', 'key wide gold', function () { acts.wish(letters); }, [el('span', '', TV.say('search_wish'))]));
      }
      deeds.forEach(function (deed) { box.appendChild(deed); });
      pad.appendChild(box);
      out.push(deeds);
      main.appendChild(pad);
      if (found.length) {
        var made = Views.shelf(letters ? '' : TV.say('search_all'), found.slice(0, MOST_FOUND), acts.play, 'found-');
        made.element.classList.add('home-shelf');
        made.row.column = 0;
        main.appendChild(made.element);
        out.push(made.row);
      }
      return out;
    };
  };
}());
