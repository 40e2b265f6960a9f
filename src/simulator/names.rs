//! Names that belong to nobody, for a made-up world. Knows nothing of listings.

/// Customers, as sample companies are called everywhere; a number is added when they run out.
pub(super) const CUSTOMERS: &[&str] = &[
    "Contoso",
    "Fabrikam",
    "Northwind",
    "Adventure Works",
    "Tailspin Toys",
    "Wingtip Toys",
    "Litware",
    "Proseware",
    "Woodgrove Bank",
    "Fourth Coffee",
    "Alpine Ski House",
    "Blue Yonder",
    "Coho Vineyard",
    "Lucerne Publishing",
    "Margies Travel",
    "Relecloud",
    "Trey Research",
    "Van Arsdel",
    "Wide World Importers",
    "Graphic Design Institute",
];

/// First names.
pub(super) const FIRST: &[&str] = &[
    "Adelva", "Brennor", "Calista", "Dorvin", "Elowyn", "Fenwick", "Galadra", "Hestor", "Isolda",
    "Jorvan", "Kelmira", "Lorcan", "Mirabel", "Nevrin", "Ottilie", "Perrin", "Quilla", "Rosmund",
    "Sorrel", "Tamsin", "Ulrika", "Vesper", "Wendelin", "Xanthe", "Yorick", "Zephra",
];

/// Last names.
pub(super) const LAST: &[&str] = &[
    "Ashgrove",
    "Birchmoor",
    "Cindermark",
    "Dunmallow",
    "Elderfen",
    "Foxmere",
    "Greywillow",
    "Hollowell",
    "Ivorson",
    "Jasperton",
    "Kestrelby",
    "Larkwater",
    "Mossbridge",
    "Nettleton",
    "O'Fenmarsh",
    "Pinecrest",
    "Quarrendon",
    "Rookwood",
    "Silverbeck",
    "Thornbury",
    "Underhallow",
    "Vexley",
    "Wintersea",
    "Yarrowdale",
];

/// Departments.
pub(super) const DEPARTMENTS: &[&str] = &[
    "Finance",
    "Sales",
    "Engineering",
    "Legal",
    "Logistics",
    "Marketing",
    "Human Resources",
];

/// Job titles.
pub(super) const JOBS: &[&str] = &[
    "Clerk",
    "Account Manager",
    "Engineer",
    "Counsel",
    "Dispatcher",
    "Team Lead",
    "Analyst",
    "Director",
];

/// Places of work.
pub(super) const LOCATIONS: &[&str] = &["Head Office", "Harbour Site", "Mill Lane", "Remote"];

/// Countries and regions.
pub(super) const COUNTRIES: &[&str] = &[
    "Switzerland",
    "Germany",
    "United States",
    "United Kingdom",
    "Japan",
    "Singapore",
];

/// Countries as Microsoft writes them.
pub(super) const USAGE_LOCATIONS: &[&str] = &[
    "CH", "DE", "US", "GB", "JP", "SG", "AT", "FR", "NL", "SE", "IT", "ES", "CA", "AU",
];
