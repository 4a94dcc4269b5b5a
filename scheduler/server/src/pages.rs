//! Answers of the API that come in pages.

/// How many things a page has at most, and has if the caller does not say.
pub(crate) const MAX_PAGE: usize = 1000;
/// How many bytes a page has at most, unless one thing alone has more: clients take no more than
/// 4 MiB unless they are told to.
const MAX_BYTES: usize = 3 << 20;

/// How many things a page is to have, of what a caller has asked for.
pub(crate) fn page_size(asked: u32) -> usize {
    match usize::try_from(asked) {
        Ok(size @ 1..=MAX_PAGE) => size,
        _ => MAX_PAGE,
    }
}

/// Leaves out what there is no room for, from the end; gives whether that was anything. The first
/// stays however large it is. `size` gives how many bytes one is sent with.
pub(crate) fn fit<M>(page: &mut Vec<M>, size: impl Fn(&M) -> usize) -> bool {
    let mut bytes = 0_usize;
    let room = page.iter().take_while(|one| {
        bytes = bytes.saturating_add(size(one));
        bytes <= MAX_BYTES
    });
    let room = room.count().max(1);
    let is_too_much = page.len() > room;
    page.truncate(room);
    is_too_much
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_bounds_in_number_and_in_bytes() {
        assert_eq!((page_size(0), page_size(7), page_size(5000)), (MAX_PAGE, 7, MAX_PAGE));
        for (sizes, left) in [
            (vec![], 0),
            (vec![1, 1, 1], 3),
            (vec![MAX_BYTES * 2], 1),
            (vec![MAX_BYTES * 2, 1], 1),
            (vec![1, MAX_BYTES, 1], 1),
            (vec![MAX_BYTES / 2, MAX_BYTES / 3, MAX_BYTES / 3], 2),
        ] {
            let mut page = sizes.clone();
            assert_eq!(fit(&mut page, |size| *size), left < sizes.len(), "{sizes:?}");
            assert_eq!(page.len(), left, "{sizes:?}");
        }
    }
}
