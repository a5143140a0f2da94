//! rumqttc: ../../e2e/clients/README.md has the lines that come in and go out. MQTT 5.0
//! and 3.1.1 are two modules of the library with the same names, so one text for both.
//! Polling its event loop again after an error is how rumqttc reconnects.
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

type Settings = HashMap<String, String>;

/// Requests that may wait for the connection.
const REQUESTS: usize = 1000;

macro_rules! follow {
    ($client:ident, $events:ident, $packets:path, $text:expr) => {{
        use $packets as packets;
        let mut inputs = BufReader::new(tokio::io::stdin()).lines();
        let mut ending = false;
        loop {
            tokio::select! {
                line = inputs.next_line(), if !ending => match line.unwrap() {
                    Some(line) => obey!($client, line),
                    None => {
                        ending = true;
                        $client.disconnect().await.unwrap();
                    }
                },
                event = $events.poll() => match event {
                    Ok(Event::Incoming(packets::ConnAck(connack))) => {
                        println!("connected\t{}\t0", connack.session_present as u8)
                    }
                    Ok(Event::Incoming(packets::SubAck(suback))) => match suback.return_codes[0] {
                        SubscribeReasonCode::Success(qos) => println!("subscribed\t{}", qos as u8),
                        _ => println!("subscribed\t128"),
                    },
                    Ok(Event::Incoming(packets::UnsubAck(_))) => println!("unsubscribed"),
                    Ok(Event::Incoming(packets::PubAck(_) | packets::PubComp(_))) => println!("published\t0"),
                    Ok(Event::Outgoing(Outgoing::Publish(0))) => println!("published\t0"),
                    Ok(Event::Incoming(packets::Publish(message))) => println!(
                        "message\t{}\t{}\t{}\t{}", $text(&message.topic), message.qos as u8,
                        message.retain as u8, String::from_utf8_lossy(&message.payload)
                    ),
                    Ok(Event::Outgoing(Outgoing::Disconnect)) if ending => break,
                    Ok(_) => {}
                    Err(error) => {
                        if ending { break }
                        eprintln!("{error}");
                        println!("disconnected");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }};
}

macro_rules! obey {
    ($client:ident, $line:ident) => {{
        let fields: Vec<&str> = $line.split('\t').collect();
        let level = |at: usize| match fields[at] {
            "0" => QoS::AtMostOnce,
            "1" => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        match fields[0] {
            "subscribe" => $client.subscribe(fields[1], level(2)).await.unwrap(),
            "unsubscribe" => $client.unsubscribe(fields[1]).await.unwrap(),
            "publish" => $client
                .publish(fields[1], level(2), fields[3] == "1", fields[4].as_bytes().to_vec())
                .await
                .unwrap(),
            _ => {}
        }
    }};
}

async fn version5(settings: &Settings) {
    use rumqttc::v5::mqttbytes::v5::{LastWill, SubscribeReasonCode};
    use rumqttc::v5::{mqttbytes::QoS, AsyncClient, Event, MqttOptions};
    use rumqttc::Outgoing;
    let mut options = MqttOptions::new(&settings["id"], &settings["host"], settings["port"].parse().unwrap());
    options.set_credentials(&settings["user"], "");
    options.set_clean_start(settings["clean"] == "1");
    options.set_session_expiry_interval(Some(settings["expiry"].parse().unwrap()));
    if let Some(topic) = settings.get("will_topic") {
        let qos = if settings["will_qos"] == "0" { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        options.set_last_will(LastWill::new(topic, settings["will_payload"].as_str(), qos, false, None));
    }
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    follow!(client, events, rumqttc::v5::mqttbytes::v5::Packet, |topic: &[u8]| String::from_utf8_lossy(topic).into_owned());
}

async fn version4(settings: &Settings) {
    use rumqttc::{AsyncClient, Event, LastWill, MqttOptions, Outgoing, QoS, SubscribeReasonCode};
    let mut options = MqttOptions::new(&settings["id"], &settings["host"], settings["port"].parse().unwrap());
    options.set_credentials(&settings["user"], "");
    options.set_clean_session(settings["clean"] == "1");
    if let Some(topic) = settings.get("will_topic") {
        let qos = if settings["will_qos"] == "0" { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        options.set_last_will(LastWill::new(topic, settings["will_payload"].as_str(), qos, false));
    }
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    follow!(client, events, rumqttc::Packet, |topic: &str| topic.to_owned());
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings: Settings = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.split_once('=').map(|(name, value)| (name.into(), value.into())))
        .collect();
    match settings["v"].as_str() {
        "5" => version5(&settings).await,
        _ => version4(&settings).await,
    }
}
