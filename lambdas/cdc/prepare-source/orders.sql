create table if not exists orders (
  order_id varchar(64) primary key,
  fc_id varchar(64) not null,
  status varchar(16) not null check (status in ('open', 'shipped', 'cancelled')),
  promised_date date not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table if not exists order_lines (
  order_id varchar(64) not null,
  line integer not null,
  sku varchar(64) not null,
  quantity integer not null,
  primary key (order_id, line)
);
create table if not exists tillstream_heartbeat (
  slot varchar(32) primary key,
  beat_at timestamptz not null
);
