//! The shapes of the letters: a geometric stroke font of our own.
//!
//! Ten units are the height of a capital, y goes up from the base line, x from the left edge of the stroke. A glyph is
//! a path of these tokens:
//!
//! - `m x y` begins a stroke · `l x y` goes on in a straight line
//! - `a cx cy rx ry from to` goes on along an ellipse's arc, degrees counted against the clock from the right
//! - `o cx cy rx ry` a whole ellipse · `d x y` a dot

/// A glyph: the character, the width of its strokes' box, its path.
type Row = (char, f32, &'static str);

/// A stroke: its points in units.
pub type Stroke = Vec<(f32, f32)>;

/// The width in units and the strokes of a character; of `?` for one the font lacks.
pub fn glyph(c: char) -> (f32, Vec<Stroke>) {
    let row = GLYPHS
        .iter()
        .find(|row| row.0 == c)
        .or_else(|| GLYPHS.iter().find(|row| row.0 == '?'));
    row.map_or((0.0, Vec::new()), |row| (row.1, strokes(row.2)))
}

fn strokes(path: &str) -> Vec<Stroke> {
    let mut strokes: Vec<Stroke> = Vec::new();
    let mut words = path.split_ascii_whitespace().peekable();
    while let Some(command) = words.next() {
        let mut numbers = [0.0_f32; 6];
        let mut count = 0;
        while let Some(n) = words.peek().and_then(|w| w.parse().ok()) {
            numbers[count] = n;
            count += 1;
            words.next();
        }
        let [x, y, rx, ry, from, to] = numbers;
        match command {
            "m" => strokes.push(vec![(x, y)]),
            "d" => strokes.push(vec![(x, y), (x, y)]),
            "l" => extend(&mut strokes, [(x, y)]),
            "o" => {
                strokes.push(Vec::new());
                extend(&mut strokes, arc(x, y, rx, ry, 90.0, 450.0));
            }
            _ => extend(&mut strokes, arc(x, y, rx, ry, from, to)),
        }
    }
    strokes
}

fn extend(strokes: &mut Vec<Stroke>, points: impl IntoIterator<Item = (f32, f32)>) {
    match strokes.last_mut() {
        Some(stroke) => stroke.extend(points),
        None => strokes.push(points.into_iter().collect()),
    }
}

fn arc(cx: f32, cy: f32, rx: f32, ry: f32, from: f32, to: f32) -> impl Iterator<Item = (f32, f32)> {
    let steps = ((to - from).abs() / 15.0).ceil().max(1.0);
    (0..=steps as u16).map(move |i| {
        let (s, c) = (from + (to - from) * f32::from(i) / steps).to_radians().sin_cos();
        (cx + rx * c, cy + ry * s)
    })
}

const GLYPHS: &[Row] = &[
    (' ', 1.6, ""),
    ('A', 8.4, "m 0 0 l 4.2 10 l 8.4 0 m 1.4 3.3 l 7 3.3"),
    (
        'B',
        6.4,
        "m 0 5.2 l 3.8 5.2 a 3.8 2.6 2.6 2.6 90 -90 l 0 0 l 0 10 l 3.4 10 a 3.4 7.6 2.4 2.4 90 -90",
    ),
    ('C', 8.2, "a 5 5 5 5 48 312"),
    ('D', 7.8, "m 0 0 l 0 10 l 2.8 10 a 2.8 5 5 5 90 -90 l 0 0"),
    ('E', 5.4, "m 5.4 10 l 0 10 l 0 0 l 5.4 0 m 0 5.2 l 4.8 5.2"),
    ('F', 5.2, "m 5.2 10 l 0 10 l 0 0 m 0 5 l 4.6 5"),
    ('G', 10.0, "a 5 5 5 5 48 360 l 5.8 5"),
    ('H', 7.2, "m 0 0 l 0 10 m 7.2 0 l 7.2 10 m 0 5.2 l 7.2 5.2"),
    ('I', 0.0, "m 0 0 l 0 10"),
    ('J', 4.0, "m 4 10 l 4 2.4 a 2 2.4 2 2.4 0 -155"),
    ('K', 6.6, "m 0 0 l 0 10 m 6.3 10 l 0 3.8 m 2.2 6 l 6.6 0"),
    ('L', 5.0, "m 0 10 l 0 0 l 5 0"),
    ('M', 9.0, "m 0 0 l 0 10 l 4.5 3 l 9 10 l 9 0"),
    ('N', 7.4, "m 0 0 l 0 10 l 7.4 0 l 7.4 10"),
    ('O', 10.0, "o 5 5 5 5"),
    ('P', 6.1, "m 0 0 l 0 10 l 3.4 10 a 3.4 7.3 2.7 2.7 90 -90 l 0 4.6"),
    ('Q', 10.0, "o 5 5 5 5 m 6.2 3 l 9.6 -0.5"),
    (
        'R',
        6.4,
        "m 0 0 l 0 10 l 3.4 10 a 3.4 7.3 2.7 2.7 90 -90 l 0 4.6 m 3.2 4.6 l 6.4 0",
    ),
    (
        'S',
        5.9,
        "m 5.1 8.8 a 3 7.5 2.5 2.5 32 250 l 3.7 5 a 3 2.6 2.9 2.6 75 -148",
    ),
    ('T', 7.0, "m 0 10 l 7 10 m 3.5 10 l 3.5 0"),
    ('U', 7.0, "m 0 10 l 0 3.5 a 3.5 3.5 3.5 3.5 180 360 l 7 10"),
    ('V', 8.0, "m 0 10 l 4 0 l 8 10"),
    ('W', 12.0, "m 0 10 l 3 0 l 6 9 l 9 0 l 12 10"),
    ('X', 7.2, "m 0 0 l 7 10 m 0.2 10 l 7.2 0"),
    ('Y', 7.4, "m 0 10 l 3.7 4.8 l 7.4 10 m 3.7 4.8 l 3.7 0"),
    ('Z', 6.8, "m 0.2 10 l 6.6 10 l 0 0 l 6.8 0"),
    ('a', 6.2, "o 3.1 3.4 3.1 3.4 m 6.2 6.8 l 6.2 0"),
    ('b', 6.2, "m 0 10 l 0 0 o 3.1 3.4 3.1 3.4"),
    ('c', 5.4, "a 3.1 3.4 3.1 3.4 45 315"),
    ('d', 6.2, "m 6.2 10 l 6.2 0 o 3.1 3.4 3.1 3.4"),
    ('e', 6.2, "m 0 3.6 l 6.2 3.6 a 3.1 3.4 3.1 3.4 3 318"),
    ('f', 3.5, "m 1.4 0 l 1.4 7.9 a 3.2 7.9 1.8 2.1 180 80 m 0 6.6 l 3.5 6.6"),
    ('g', 6.2, "o 3.1 3.4 3.1 3.4 m 6.2 6.8 l 6.2 0 a 3.1 0 3.1 3 0 -150"),
    ('h', 5.4, "m 0 10 l 0 0 m 0 4 a 2.7 4 2.7 2.8 180 0 l 5.4 0"),
    ('i', 0.0, "m 0 0 l 0 6.8 d 0 9.5"),
    ('j', 1.6, "m 1.6 6.8 l 1.6 -0.8 a 0 -0.8 1.6 2.2 0 -90 d 1.6 9.5"),
    ('k', 4.9, "m 0 0 l 0 10 m 4.6 6.8 l 0 2.8 m 1.7 4.3 l 4.9 0"),
    ('l', 0.0, "m 0 0 l 0 10"),
    (
        'm',
        8.8,
        "m 0 6.8 l 0 0 m 0 4.4 a 2.2 4.4 2.2 2.4 180 0 l 4.4 0 m 4.4 4.4 a 6.6 4.4 2.2 2.4 180 0 l 8.8 0",
    ),
    ('n', 5.4, "m 0 6.8 l 0 0 m 0 4 a 2.7 4 2.7 2.8 180 0 l 5.4 0"),
    ('o', 6.6, "o 3.3 3.4 3.3 3.4"),
    ('p', 6.2, "m 0 6.8 l 0 -3.2 o 3.1 3.4 3.1 3.4"),
    ('q', 6.2, "m 6.2 6.8 l 6.2 -3.2 o 3.1 3.4 3.1 3.4"),
    ('r', 3.2, "m 0 6.8 l 0 0 m 0 4 a 2.6 4 2.6 2.8 180 75"),
    (
        's',
        4.3,
        "m 3.8 5.9 a 2.2 5.1 1.9 1.7 28 250 l 2.6 3.4 a 2.1 1.75 2.2 1.75 75 -145",
    ),
    (
        't',
        3.4,
        "m 1.4 9.2 l 1.4 1.9 a 3 1.9 1.6 1.9 180 280 m 0 6.6 l 3.3 6.6",
    ),
    ('u', 5.4, "m 0 6.8 l 0 2.8 a 2.7 2.8 2.7 2.8 180 360 m 5.4 6.8 l 5.4 0"),
    ('v', 5.8, "m 0 6.8 l 2.9 0 l 5.8 6.8"),
    ('w', 8.8, "m 0 6.8 l 2.2 0 l 4.4 6.2 l 6.6 0 l 8.8 6.8"),
    ('x', 5.2, "m 0 0 l 5 6.8 m 0.2 6.8 l 5.2 0"),
    ('y', 5.8, "m 0 6.8 l 2.95 0.1 m 5.8 6.8 l 1.5 -3.2"),
    ('z', 4.8, "m 0.1 6.8 l 4.7 6.8 l 0 0 l 4.8 0"),
    ('0', 6.2, "o 3.1 5 3.1 5"),
    ('1', 3.6, "m 0.6 7.9 l 2.8 10 l 2.8 0"),
    ('2', 6.2, "a 3.1 7.1 2.9 2.9 165 -38 l 0.2 0 l 6.2 0"),
    ('3', 6.1, "m 0.5 10 l 5.5 10 l 2.7 6.1 a 3 3.05 3.1 3.05 88 -148"),
    ('4', 6.4, "m 4.8 0 l 4.8 10 l 0 2.7 l 6.4 2.7"),
    ('5', 6.1, "m 5.5 10 l 1.3 10 l 0.7 5.4 a 3 3.2 3.1 3.2 130 -148"),
    ('6', 6.2, "o 3.1 3.1 3.1 3.1 m 4.7 10 l 0.5 4.8"),
    ('7', 6.2, "m 0 10 l 6.2 10 l 2 0"),
    ('8', 6.2, "o 3.1 7.5 2.5 2.5 o 3.1 2.55 3.05 2.55"),
    ('9', 6.2, "o 3.1 6.9 3.1 3.1 m 1.5 0 l 5.7 5.2"),
    ('.', 0.2, "d 0.1 0.1"),
    (',', 0.6, "m 0.6 0.2 l 0 -1.7"),
    (':', 0.2, "d 0.1 0.4 d 0.1 5.8"),
    (';', 0.6, "m 0.6 0.2 l 0 -1.7 d 0.6 5.8"),
    ('-', 3.4, "m 0 4 l 3.4 4"),
    ('–', 5.6, "m 0 4 l 5.6 4"),
    ('+', 5.6, "m 0 4.4 l 5.6 4.4 m 2.8 1.6 l 2.8 7.2"),
    ('/', 4.2, "m 0 -1 l 4.2 11"),
    ('(', 1.8, "a 6 4.5 6 8 137 223"),
    (')', 1.8, "a -4.2 4.5 6 8 43 -43"),
    ('%', 8.6, "o 1.8 8.1 1.8 1.9 o 6.8 1.9 1.8 1.9 m 1.4 0 l 7.2 10"),
    ('\'', 0.0, "m 0 10 l 0 7.6"),
    ('!', 0.2, "m 0.1 10 l 0.1 2.8 d 0.1 0.1"),
    ('?', 5.0, "a 2.5 7.6 2.4 2.4 170 -50 l 2.5 4 l 2.5 2.8 d 2.5 0.1"),
    ('°', 2.8, "o 1.4 8.6 1.4 1.4"),
    ('·', 0.2, "d 0.1 4.2"),
    ('×', 4.8, "m 0 2 l 4.8 6.8 m 0 6.8 l 4.8 2"),
    ('<', 4.6, "m 4.6 7.4 l 0 4.2 l 4.6 1"),
    ('>', 4.6, "m 0 7.4 l 4.6 4.2 l 0 1"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::bodies::BODIES;

    #[test]
    fn every_glyph_stays_in_its_box() {
        for (c, width, path) in GLYPHS {
            for (x, y) in strokes(path).concat() {
                assert!((-0.15..=width + 0.35).contains(&x), "{c} at x {x}");
                assert!((-3.3..=11.1).contains(&y), "{c} at y {y}");
            }
        }
    }

    #[test]
    fn every_word_about_the_bodies_can_be_written() {
        let rows = BODIES.iter().flat_map(|b| b.rows).flat_map(|(a, b)| [*a, *b]);
        let texts = BODIES.iter().flat_map(|b| [b.name, b.kind, b.facts]).chain(rows);
        for c in texts.flat_map(str::chars) {
            assert!(GLYPHS.iter().any(|g| g.0 == c), "the font lacks {c:?}");
        }
    }

    #[test]
    fn an_unknown_character_shows_as_a_question_mark() {
        assert_eq!(glyph('中').0, glyph('?').0);
        assert!(!glyph('中').1.is_empty());
    }
}
