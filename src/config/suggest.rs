//! The nearest of the words that exist, for "did you mean".

/// The candidate nearest to `word`, if one is near enough to be meant: at most a third of its letters differ.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(word, candidates, |length| length.div_ceil(3))
}

/// The candidate from which `word` differs by one or two letters.
pub(super) fn misspelt<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(word, candidates, |_| 2)
}

fn within<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    most: impl Fn(usize) -> usize,
) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(80).map(|c| c.to_ascii_lowercase()).collect();
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most(candidate.len().max(word.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, c) in candidate.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, w) in word.iter().enumerate() {
            let changed = diagonal + usize::from(*w != c.to_ascii_lowercase());
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let keys = ["server.listen", "server.auth", "instances.capacity"];
        assert_eq!(nearest("server.lisen", keys), Some("server.listen"));
        assert_eq!(nearest("instance.capacity", keys), Some("instances.capacity"));
    }

    #[test]
    fn a_word_unlike_all_others_has_no_suggestion() {
        assert_eq!(nearest("zzzzzzzzzz", ["server.listen", "video.width"]), None);
        assert_eq!(nearest("", ["video.width"]), None);
    }
}
