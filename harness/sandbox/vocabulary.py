"""The words the catalogue is made of: people, places, products. Mail domains and phone numbers are reserved ones."""

FIRST_NAMES = (
    *("Ada", "Amir", "Ana", "Björn", "Chloé", "Daniel", "Divya", "Elif", "Emma", "Fatima", "Grace", "Hiro", "Ivan"),
    *("Jamal", "Jin", "Joana", "Kofi", "Lars", "Lucía", "Łukasz", "Mai", "Marek", "Maya", "Mei", "Noah", "Nora"),
    *("Olu", "Omar", "Paula", "Priya", "Rosa", "Ruth", "Sam", "Sofía", "Tariq", "Tom", "Vera", "Yuki", "Zoë"),
)
LAST_NAMES = (
    *("Adeyemi", "Andersson", "Baker", "Banerjee", "Bianchi", "Chen", "Costa", "Cruz", "Dubois", "Evans", "Fischer"),
    *("García", "Haddad", "Hansen", "Ito", "Jansen", "Johnson", "Kaya", "Kim", "Kowalski", "Lee", "Mensah", "Meyer"),
    *("Moreau", "Müller", "Nguyen", "Novák", "O'Brien", "Okafor", "Ortiz", "Patel", "Rossi", "Santos", "Silva"),
    *("Singh", "Smith", "Suzuki", "Taylor", "Tremblay", "Wójcik", "Young"),
)
COMPANIES = (
    "Blue Heron Studio",
    "Cedar & Co.",
    "Fjord Supplies",
    "Halcyon Labs",
    "Maple Street School",
    "Orchard Café",
)
STREETS = ("Beech Road", "Canal Street", "Church Lane", "Elm Avenue", "High Street", "Lakeside Drive", "Mill Way")
# City, state, postal code, country.
PLACES = (
    ("Nashville", "TN", "37203", "US"),
    ("Portland", "OR", "97205", "US"),
    ("Austin", "TX", "78701", "US"),
    ("Montréal", "QC", "H2Y 1C6", "CA"),
    ("Bristol", "", "BS1 4DJ", "GB"),
    ("München", "BY", "80331", "DE"),
    ("Kraków", "", "31-042", "PL"),
    ("Melbourne", "VIC", "3000", "AU"),
)
MAIL_DOMAINS = ("example.com", "example.net", "example.org", "mail.example.com")  # RFC 2606

SOURCES = ("Shopify", "WooCommerce", "Etsy", "Amazon", "Order Desk")
FOLDERS = ("New", "Prepared", "Backordered", "On Hold", "Shipped", "Closed", "Canceled")
SHIPPING_METHODS = ("First Class", "Ground", "Express", "Local Pickup")
# Carrier code, the beginning of its tracking numbers, the page they are looked up on.
CARRIERS = (
    ("USPS", "9400", "https://usps.example.com/track/"),
    ("UPS", "1Z", "https://ups.example.com/track/"),
    ("FedEx", "7712", "https://fedex.example.com/track/"),
)
PAYMENT_TYPES = ("Visa", "Mastercard", "PayPal")
# One in ten each; the first is the common case.
PAYMENT_STATUSES = (
    *("Approved", "Approved", "Approved", "Captured", "Captured", "Authorized"),
    *("Pending", "Partially Refunded", "Fully Refunded", "Voided"),
)

MATERIALS = (
    "Linen",
    "Oak",
    "Ceramic",
    "Wool",
    "Cork",
    "Brass",
    "Bamboo",
    "Glass",
    "Leather",
    "Stone",
    "Cotton",
    "Steel",
)
THINGS = ("Mug", "Notebook", "Lamp", "Tray", "Scarf", "Clock", "Bowl", "Apron", "Frame", "Basket")
COLORS = ("Natural", "Black", "Sage", "Rust", "Navy")
SIZES = ("S", "M", "L")
LOCATIONS = ("Main Warehouse", "Overflow", "Drop Ship")
MANUFACTURERS = ("ACME", "NORTHWIND", "HALCYON")

NOTES = (
    "Customer asked for gift wrapping.",
    "Leave the parcel at the back door.",
    "Address confirmed by phone.",
    "Second attempt: the first parcel came back.",
    "VIP: send a handwritten card.",
)
CHECKOUT_FIELDS = (
    ("Gift message", "Happy birthday!"),
    ("PO number", "PO-4471"),
    ("How did you hear of us", "A friend"),
)
STORE_NAMES = ("Harbour & Pine", "Second Story Goods", "Little Foundry", "Northern Stationers", "Table & Thread")
