//! `wire!` declares an object of the wire: its fields and their names in JSON. It knows nothing of listings.

/// Declares a struct and implements [`Fields`](super::Fields) for it.
///
/// Each line `"nameInJson" => field: Type,` reads one field. The text after the struct's name names the object in
/// error messages. The struct may have the lifetime of the body, then one type parameter that is a
/// [`Fields`](super::Fields) too.
///
/// Other fields are skipped. A last line `_ => field: Type,` hands them on to another such object instead. A nested
/// object that may be missing has the type [`OrDefault`](super::OrDefault).
macro_rules! wire {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(<$de:lifetime $(, $inner:ident)?>)?: $expected:literal {
            $($(#[$doc:meta])* $key:literal => $field:ident: $type:ty,)*
            $(_ => $rest:ident: $rest_type:ty,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name $(<$de $(, $inner)?>)? {
            $($(#[$doc])* $field: $type,)*
            $($rest: $rest_type,)?
        }

        // `'wire` stands for `$de`, which a struct that borrows nothing does not have.
        impl<'wire $($(, $inner: $crate::upstream::http::json::Fields<'wire>)?)?>
            $crate::upstream::http::json::Fields<'wire> for $name $(<'wire $(, $inner)?>)?
        {
            const EXPECTED: &'static str = $expected;

            fn field<A: ::serde::de::MapAccess<'wire>>(
                &mut self,
                name: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match name {
                    $($key => self.$field = map.next_value()?,)*
                    _ => $crate::upstream::http::json::wire!(@unknown name, map $(, self.$rest)?)?,
                }
                Ok(())
            }
        }
    };
    (@unknown $name:ident, $map:ident) => {
        $crate::upstream::http::json::skip($map)
    };
    (@unknown $name:ident, $map:ident, $self:ident.$rest:ident) => {
        $crate::upstream::http::json::Fields::field(&mut $self.$rest, $name, $map)
    };
}

pub(crate) use wire;

#[cfg(test)]
mod tests {
    use crate::upstream::http::json::{List, Object, OrDefault, Text, read};

    wire! {
        /// An object that borrows nothing.
        struct Address: "an address" {
            "zipCode" => zip_code: Option<u32>,
        }
    }

    wire! {
        struct Person<'de>: "a person" {
            /// With its letter case.
            "name" => name: Option<Text<'de>>,
            "address" => address: OrDefault<Address>,
        }
    }

    wire! {
        struct Employee<'de>: "an employee" {
            "id" => id: Option<u64>,
            _ => person: Person<'de>,
        }
    }

    wire! {
        struct Team<'de, W>: "a team" {
            "lead" => lead: Option<Text<'de>>,
            "members" => members: Option<List<Object<W>>>,
        }
    }

    fn zip_code(body: &str) -> Option<u32> {
        read::<Person<'_>>(body.as_bytes())
            .unwrap()
            .address
            .0
            .zip_code
    }

    #[test]
    fn a_nested_object_is_read_and_is_empty_where_it_is_null_or_missing() {
        assert_eq!(zip_code(r#"{"Address": {"ZipCode": 7, "x": {}}}"#), Some(7));
        assert_eq!(zip_code(r#"{"address": null}"#), None);
        assert_eq!(zip_code("{}"), None);
    }

    #[test]
    fn unknown_fields_are_handed_on_to_the_inner_object_which_skips_the_rest() {
        let body = r#"{"Name": "a", "Id": 1, "x": [1], "address": {"zipCode": 7}}"#;
        let employee: Employee<'_> = read(body.as_bytes()).unwrap();
        assert_eq!(employee.id, Some(1));
        assert_eq!(employee.person.name.unwrap().0, "a");
        assert_eq!(employee.person.address.0.zip_code, Some(7));
    }

    #[test]
    fn an_object_may_hold_objects_of_any_kind() {
        let body = r#"{"lead": "a", "members": [{"id": 1}, {"id": 2}]}"#;
        let team: Team<'_, Employee<'_>> = read(body.as_bytes()).unwrap();
        assert_eq!(team.lead.unwrap().0, "a");
        let members = team.members.unwrap().0;
        let ids: Vec<_> = members.iter().map(|Object(one)| one.id).collect();
        assert_eq!(ids, [Some(1), Some(2)]);
    }

    #[test]
    fn an_error_names_the_object_that_was_expected() {
        let error = read::<Person<'_>>(br#"{"address": "Main Street"}"#).err();
        let text = format!("{error:?}");
        assert!(text.contains("an address expected"), "{text}");
        assert!(!text.contains("Main Street"), "{text}");
    }
}
