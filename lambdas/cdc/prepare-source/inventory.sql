create table if not exists skus (
  sku varchar(64) primary key,
  status varchar(16) not null check (status in ('active', 'paused', 'discontinued')),
  category varchar(64),
  reorder_point integer,
  safety_stock integer,
  updated_at timestamptz not null default now()
);
create table if not exists stock (
  sku varchar(64) not null,
  location varchar(64) not null,
  on_hand integer not null,
  reserved integer not null default 0,
  updated_at timestamptz not null default now(),
  primary key (sku, location)
);
create table if not exists fulfillment_centers (
  fc_id varchar(64) primary key,
  daily_capacity integer not null,
  cutoff varchar(5) not null check (cutoff ~ '^[0-2][0-9]:[0-5][0-9]$'),
  time_zone varchar(64) not null,
  updated_at timestamptz not null default now()
);
create table if not exists tillstream_heartbeat (
  slot varchar(32) primary key,
  beat_at timestamptz not null
);
