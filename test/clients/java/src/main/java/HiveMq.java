import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.lifecycle.MqttClientAutoReconnect;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5AsyncClient;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** HiveMQ's client, MQTT 5.0 and 3.1.1: two interfaces of the library. */
final class HiveMq {
    private static final MqttClientAutoReconnect RECONNECT = MqttClientAutoReconnect.builder()
            .initialDelay(1, TimeUnit.SECONDS).maxDelay(2, TimeUnit.SECONDS).build();

    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = Lines.settings(arguments);
        if (settings.get("v").equals("5")) {
            version5(settings);
        } else {
            version3(settings);
        }
        System.exit(0);
    }

    // A failed operation is reported and not acknowledged.
    private static <T> void then(java.util.concurrent.CompletableFuture<T> future, java.util.function.Consumer<T> done) {
        future.whenComplete((result, error) -> {
            if (error == null) done.accept(result);
            else System.err.println(error);
        });
    }

    private static void version5(Map<String, String> settings) throws Exception {
        var builder = MqttClient.builder().useMqttVersion5().identifier(settings.get("id"))
                .serverHost(settings.get("host")).serverPort(Integer.parseInt(settings.get("port")))
                .simpleAuth().username(settings.get("user")).applySimpleAuth()
                .automaticReconnect(RECONNECT)
                // Without this it begins a session and loses its own at each reconnection.
                .addDisconnectedListener(context -> Lines.say("disconnected"));
        if (settings.containsKey("will_topic")) {
            builder.willPublish(Mqtt5Publish.builder().topic(settings.get("will_topic"))
                    .payload(settings.get("will_payload").getBytes()).qos(MqttQos.fromCode(Integer.parseInt(settings.get("will_qos")))).build().asWill());
        }
        Mqtt5AsyncClient client = builder.buildAsync();
        client.publishes(com.hivemq.client.mqtt.MqttGlobalPublishFilter.ALL, message ->
                Lines.message(message.getTopic().toString(), message.getQos().getCode(), message.isRetain(), message.getPayloadAsBytes()));
        var connack = client.connectWith().cleanStart(settings.get("clean").equals("1"))
                .sessionExpiryInterval(Long.parseLong(settings.get("expiry"))).send().get();
        Lines.say("connected", connack.isSessionPresent() ? 1 : 0, connack.getReasonCode().getCode());
        Lines.obey(new Lines.Client() {
            public void subscribe(String filter, int qos) {
                then(client.subscribeWith().topicFilter(filter).qos(MqttQos.fromCode(qos)).send(),
                        suback -> Lines.say("subscribed", suback.getReasonCodes().get(0).getCode()));
            }

            public void unsubscribe(String filter) {
                then(client.unsubscribeWith().topicFilter(filter).send(), unsuback -> Lines.say("unsubscribed"));
            }

            public void publish(String topic, int qos, boolean retain, byte[] payload) {
                then(client.publishWith().topic(topic).qos(MqttQos.fromCode(qos)).retain(retain).payload(payload).send(),
                        result -> Lines.say("published", 0));
            }
        });
        client.disconnect().get(2, TimeUnit.SECONDS);
    }

    private static void version3(Map<String, String> settings) throws Exception {
        var builder = MqttClient.builder().useMqttVersion3().identifier(settings.get("id"))
                .serverHost(settings.get("host")).serverPort(Integer.parseInt(settings.get("port")))
                .simpleAuth().username(settings.get("user")).password(new byte[0]).applySimpleAuth()
                .automaticReconnect(RECONNECT)
                .addDisconnectedListener(context -> Lines.say("disconnected"));
        if (settings.containsKey("will_topic")) {
            builder.willPublish().topic(settings.get("will_topic")).payload(settings.get("will_payload").getBytes())
                    .qos(MqttQos.fromCode(Integer.parseInt(settings.get("will_qos")))).applyWillPublish();
        }
        Mqtt3AsyncClient client = builder.buildAsync();
        client.publishes(com.hivemq.client.mqtt.MqttGlobalPublishFilter.ALL, message ->
                Lines.message(message.getTopic().toString(), message.getQos().getCode(), message.isRetain(), message.getPayloadAsBytes()));
        var connack = client.connectWith().cleanSession(settings.get("clean").equals("1")).send().get();
        Lines.say("connected", connack.isSessionPresent() ? 1 : 0, connack.getReturnCode().getCode());
        Lines.obey(new Lines.Client() {
            public void subscribe(String filter, int qos) {
                then(client.subscribeWith().topicFilter(filter).qos(MqttQos.fromCode(qos)).send(),
                        suback -> Lines.say("subscribed", suback.getReturnCodes().get(0).getCode()));
            }

            public void unsubscribe(String filter) {
                then(client.unsubscribeWith().topicFilter(filter).send(), unsuback -> Lines.say("unsubscribed"));
            }

            public void publish(String topic, int qos, boolean retain, byte[] payload) {
                then(client.publishWith().topic(topic).qos(MqttQos.fromCode(qos)).retain(retain).payload(payload).send(),
                        result -> Lines.say("published", 0));
            }
        });
        client.disconnect().get(2, TimeUnit.SECONDS);
    }
}
